"""Schemas made in the live database and undone: the wanted side of a comparison, and the stage on which a plan is rehearsed.

Inside a transaction the live schemas are renamed aside, others are made in their names, the catalog is read, and everything
is rolled back. No lock on a live table is taken, and nobody else sees any of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import psycopg
from psycopg import sql

from codegen import catalog, differ
from codegen.catalog import Catalog
from codegen.ddl import OWNER, Statement
from codegen.desired import Desired
from codegen.quoting import name
from codegen.settings import settings
from codegen.steps import Step
from codegen.templates import LOCKS

ASIDE = "{}__live"


@contextmanager
def aside(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> Iterator[None]:
    """The live schemas out of the way; all that happens meanwhile is undone. To be used in a transaction."""
    with connection.transaction(force_rollback=True):
        # Schemas are the deployer's to make and to rename: their owner needs no right on the database.
        for schema in existing(connection, schemas):
            connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(name(schema), name(ASIDE.format(schema))))
        yield


def wanted(connection: psycopg.Connection[Any], desired: Desired) -> Catalog:
    """The desired schemas as this server shows them."""
    with aside(connection, desired.schemas):
        build(connection, desired.statements)
        return catalog.read(connection, desired.schemas)


def build(connection: psycopg.Connection[Any], statements: Iterable[Statement]) -> None:
    """Run the statements that make schemas: the schemas as the one who deploys, the rest as their owner."""
    made = list(statements)
    for statement in made:
        if statement.kind == "schema":
            connection.execute(statement.sql.encode())
    act_as_owner(connection)
    connection.execute("\n".join(statement.sql for statement in made if statement.kind != "schema").encode())
    connection.execute("SET LOCAL ROLE NONE")


def copy(connection: psycopg.Connection[Any], of: Catalog) -> None:
    """Make everything that a catalog holds, without rows. To be used while the live schemas are aside."""
    for schema in of.of_kind("schema"):
        owner = sql.SQL(schema.detail["owner"])
        connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(sql.SQL(schema.name), owner))
    run(connection, differ.everything(of))


def reparsed(connection: psycopg.Connection[Any], of: Catalog, schemas: Sequence[str]) -> Catalog:
    """A catalog as the server shows it once it has read its own words again."""
    with aside(connection, schemas):
        copy(connection, of)
        return catalog.read(connection, schemas)


def run(connection: psycopg.Connection[Any], steps: Iterable[Step]) -> None:
    """Run steps in the caller's transaction, CONCURRENTLY or not; those that one role runs in one go."""
    for _, group in groupby(steps, key=lambda step: step.as_owner):
        made = list(group)
        prepare(connection, made[0])
        statements = [
            statement.replace(" CONCURRENTLY", "", 1) if step.concurrently else statement for step in made for statement in step.statements
        ]
        connection.execute("\n".join(statements).encode())
    connection.execute("SET LOCAL ROLE NONE")


def prepare(connection: psycopg.Connection[Any], step: Step) -> None:
    """Take the role that a step is for."""
    if step.as_owner:
        act_as_owner(connection)
    else:
        connection.execute("SET LOCAL ROLE NONE")


def lock(connection: psycopg.Connection[Any]) -> None:
    """One deploy or plan at a time in a database, for the rest of the transaction: each makes the same names."""
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{settings().deploy_queue_seconds}s")))
    # Without parameters, so by the simple protocol: a portal left open would keep its snapshot to the end of the transaction, and
    # CREATE INDEX CONCURRENTLY would wait for the very deploy that runs it.
    connection.execute(sql.SQL("SELECT pg_advisory_xact_lock({}, 0)").format(sql.Literal(LOCKS["deploy"])))


def existing(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> list[str]:
    """Those of some schemas that are there."""
    rows = connection.execute("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY (%s) ORDER BY nspname", [list(schemas)])
    return [row[0] for row in rows]


def act_as_owner(connection: psycopg.Connection[Any]) -> None:
    """For the rest of the transaction: run as the owner, with nothing on the search path, and bodies unchecked until all is there."""
    connection.execute(
        sql.SQL(
            "SET LOCAL ROLE {}; SET LOCAL search_path = ''; SET LOCAL check_function_bodies = off; "
            "SET LOCAL standard_conforming_strings = on; SET LOCAL client_min_messages = warning"
        ).format(name(OWNER))
    )
