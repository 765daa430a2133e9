"""The wanted side of a comparison: the generated schemas, made in the live database and undone.

Inside a transaction the live schemas are renamed aside, the generated DDL is run, the catalog is read, and everything is
rolled back. No lock on a live table is taken, and nobody else sees any of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from codegen import catalog, generate
from codegen.catalog import Catalog, Difference
from codegen.ddl import OWNER
from codegen.quoting import name
from codegen.templates import LOCKS

ASIDE = "{}__live"


def compare(connection: psycopg.Connection[Any], schemas: Sequence[str] = generate.SCHEMAS) -> list[Difference]:
    """How the live schemas differ from the generated ones. To be called in a transaction, by the one who would deploy."""
    # The live side first: renamed aside, its expressions would read differently.
    live = catalog.read(connection, schemas)
    return catalog.differences(live, wanted(connection, schemas))


def wanted(connection: psycopg.Connection[Any], schemas: Sequence[str] = generate.SCHEMAS) -> Catalog:
    """The generated schemas as this server shows them. To be called in a transaction."""
    with connection.transaction(force_rollback=True):
        # Schemas are the deployer's to make and to rename: their owner needs no right on the database.
        for schema in existing(connection):
            aside = name(ASIDE.format(schema))
            connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(name(schema), aside))
        for statement in generate.statements():
            if statement.kind == "schema":
                connection.execute(statement.sql.encode())
        act_as_owner(connection)
        for statement in generate.statements():
            if statement.kind != "schema":
                connection.execute(statement.sql.encode())
        return catalog.read(connection, schemas)


def lock(connection: psycopg.Connection[Any]) -> None:
    """One deploy or plan at a time in a database, for the rest of the transaction: each makes the same names."""
    connection.execute("SET LOCAL lock_timeout = '60s'")
    connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", [LOCKS["deploy"]])


def existing(connection: psycopg.Connection[Any]) -> list[str]:
    """The generated schemas that are there."""
    rows = connection.execute(
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY (%s) ORDER BY nspname", [list(generate.SCHEMAS)]
    )
    return [row[0] for row in rows]


def act_as_owner(connection: psycopg.Connection[Any]) -> None:
    """For the rest of the transaction: run as the owner, with nothing on the search path, and bodies unchecked until all is there."""
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(name(OWNER)))
    connection.execute("SET LOCAL search_path = ''")
    connection.execute("SET LOCAL check_function_bodies = off")
    connection.execute("SET LOCAL standard_conforming_strings = on")
    connection.execute("SET LOCAL client_min_messages = warning")
