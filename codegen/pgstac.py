"""The schema pgstac, which is its library's: installed and migrated by pypgstac; all that is ours there are rights.

pypgstac runs as a process of its own: imported, it changes how psycopg reads JSON for everybody. It is told where to connect
by libpq's variables, for arguments are there for all to read.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import version as installed_version
from typing import Any

import psycopg
from psycopg import sql

from codegen.connection import connect_to, environment_of, parameters
from codegen.ddl import OWNER
from codegen.quoting import name
from codegen.refusal import RefusedError

WANTED_VERSION = installed_version("pypgstac")

REQUIRED_FUNCTIONS = ("search_hash", "search_fromhash", "get_version", "search", "upsert_item", "upsert_items", "get_collection")
"""Without the first two no search can be registered (0.10.0 has no search_tohash any more); the others are what geomill calls."""

ATTEMPTS = 5

API = "geomill_api"
READ_BY_SEARCH = (
    "items",
    "collections",
    "base_items",
    "partition_stats",
    "queryables",
    "queryable_wrappers",
    "cql2_ops",
    "pgstac_settings",
    "search_wheres",
)
"""What pgstac's search reads: the API role searches, and may do nothing else there."""


def live_version(connection: psycopg.Connection[Any]) -> str | None:
    """The version that is installed; None without pgstac."""
    row = connection.execute("SELECT to_regclass('pgstac.migrations') IS NOT NULL").fetchone()
    if not row or not row[0]:
        return None
    row = connection.execute("SELECT version FROM pgstac.migrations ORDER BY datetime DESC, version DESC LIMIT 1").fetchone()
    return str(row[0]) if row else None


def migrate(dsn: str) -> bool:
    """Bring pgstac to the version of the library, and give our roles their rights in it. False if all was there."""
    with connect_to(dsn, application_name="geomill pgstac") as connection:
        before = live_version(connection)
    if before is not None and _parts(before) > _parts(WANTED_VERSION):
        raise RefusedError("pgstac", f"the database has {before}, newer than {WANTED_VERSION}", "install the pypgstac of that version")
    if before != WANTED_VERSION:
        _run_pypgstac(dsn)
    with connect_to(dsn, application_name="geomill pgstac") as connection:
        rights = missing_rights(connection)
        for _, grant in rights:
            connection.execute(grant)
    return before != WANTED_VERSION or bool(rights)


def _run_pypgstac(dsn: str) -> None:
    settings = environment_of(parameters(dsn))
    command = [sys.executable, "-m", "pypgstac.pypgstac", "migrate", "--toversion", WANTED_VERSION]
    for _ in range(ATTEMPTS):
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        # Its roles belong to the cluster: another database's migration may make them at the same moment.
        if "concurrently" not in said and "already exists" not in said and "duplicate key" not in said:
            break
        time.sleep(1)
    raise RefusedError("pgstac", f"pypgstac migrate failed: {said}", "run `pypgstac migrate` by hand, then deploy again")


def missing_rights(connection: psycopg.Connection[Any]) -> list[tuple[str, sql.Composed]]:
    """Rights that our roles lack in pgstac: each for people, and the statement that gives it."""
    missing: list[tuple[str, sql.Composed]] = []
    if not _holds(connection, "pg_has_role(%s, 'pgstac_admin', 'MEMBER')", OWNER):
        missing.append((f"membership of {OWNER} in pgstac_admin", sql.SQL("GRANT pgstac_admin TO {}").format(name(OWNER))))
    if not _holds(connection, "has_schema_privilege(%s, 'pgstac', 'USAGE')", API):
        missing.append((f"grant on schema pgstac to {API}", sql.SQL("GRANT USAGE ON SCHEMA pgstac TO {}").format(name(API))))
    for table in READ_BY_SEARCH:
        if not _holds(connection, "has_table_privilege(%s, 'pgstac.' || %s, 'SELECT')", API, table):
            grant = sql.SQL("GRANT SELECT ON {} TO {}").format(name("pgstac", table), name(API))
            missing.append((f"grant on table pgstac.{table} to {API}", grant))
    return missing


def ensure_collections(connection: psycopg.Connection[Any]) -> list[str]:
    """Make the collections that clients publish into and that are missing; which those were."""
    return [row[0] for row in connection.execute("SELECT app.stac_ensure_client_collections()")]


def missing_functions(connection: psycopg.Connection[Any]) -> list[str]:
    """Functions of pgstac that geomill needs and that are not there."""
    rows = connection.execute("SELECT proname FROM pg_catalog.pg_proc WHERE pronamespace = 'pgstac'::regnamespace")
    return sorted(set(REQUIRED_FUNCTIONS) - {row[0] for row in rows})


def _holds(connection: psycopg.Connection[Any], condition: str, *values: str) -> bool:
    row = connection.execute(sql.SQL("SELECT {}").format(sql.SQL(condition)), values).fetchone()
    return bool(row and row[0])


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
