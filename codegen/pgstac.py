"""The schema pgstac, which is its library's: installed and migrated by pypgstac, never touched otherwise."""

from __future__ import annotations

from typing import Any

import psycopg
import pypgstac
from pypgstac.db import PgstacDB
from pypgstac.migrate import Migrate

from codegen.connection import connect_to
from codegen.refusal import RefusedError

WANTED_VERSION: str = pypgstac.__version__

REQUIRED_FUNCTIONS = ("search_hash", "search_fromhash", "get_version", "search", "upsert_item", "upsert_items", "get_collection")
"""Without the first two, searches cannot be registered (0.10.0 has no search_tohash any more); the others are what geomill calls."""


def live_version(connection: psycopg.Connection[Any]) -> str | None:
    """The version that is installed; None without pgstac."""
    row = connection.execute("SELECT to_regclass('pgstac.migrations') IS NOT NULL").fetchone()
    if not row or not row[0]:
        return None
    row = connection.execute("SELECT version FROM pgstac.migrations ORDER BY datetime DESC, version DESC LIMIT 1").fetchone()
    return str(row[0]) if row else None


def migrate(dsn: str) -> bool:
    """Bring pgstac to the version of the library, and let the owner use it. False if it is there already."""
    # A connection of its own: the library sets its search path, and leaves the first install as the role pgstac_admin.
    with connect_to(dsn, application_name="geomill pgstac") as connection:
        before = live_version(connection)
        if before is not None and _parts(before) > _parts(WANTED_VERSION):
            raise RefusedError("pgstac", f"the database has {before}, newer than {WANTED_VERSION}", "install the pypgstac of that version")
        if before != WANTED_VERSION:
            Migrate(PgstacDB(connection=connection)).run_migration(WANTED_VERSION)
        connection.execute("RESET ROLE")
        connection.execute(
            """
            DO $$
            BEGIN
                IF NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members
                                WHERE roleid = 'pgstac_admin'::regrole AND member = 'geomill_owner'::regrole) THEN
                    GRANT pgstac_admin TO geomill_owner;
                END IF;
            END;
            $$
            """
        )
        return before != WANTED_VERSION


def missing_functions(connection: psycopg.Connection[Any]) -> list[str]:
    """Functions of pgstac that geomill needs and that are not there."""
    rows = connection.execute(
        """
        SELECT f.name FROM unnest(%s::text[]) AS f (name)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = to_regnamespace('pgstac') AND p.proname = f.name)
         ORDER BY 1
        """,
        [list(REQUIRED_FUNCTIONS)],
    )
    return [row[0] for row in rows]


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
