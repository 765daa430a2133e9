"""Whether a database is what deploy makes: every schema, pgstac, the workflows, the janitor's job, and functions that hold up."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from codegen import cron, generate, pgstac, plan, plpgsql, roles, static
from codegen.connection import connect_to
from codegen.deploy import Report

_SHAPES = {"table", "view", "column", "type", "schema"}
"""Differences under which functions may name what is not there."""

SCHEMAS = ("app", "platform", "geo", "h3", "pgstac")


def verify(dsn: str, report: Report, *, with_cron: bool = True) -> list[str]:
    """Everything that is not as it should be, for people; [] if all is. What could not be looked at is reported."""
    with connect_to(dsn, application_name="geomill verify") as connection:
        found = [f"missing    schema {schema}" for schema in _missing_schemas(connection)]
        if not {"missing    schema app", "missing    schema platform"} & set(found):
            found += plan.differences(connection)
            if any(line.split()[1] in _SHAPES for line in found):
                # Of no use, and not without danger: on tables that lack columns plpgsql_check 2.3 was seen to end its server process.
                report("functions were not checked: what they work on differs; mend that first")
            else:
                found += _functions(connection, report)
        found += _static(connection, found)
        found += roles.differences(connection)
        found += _pgstac(connection)
        if with_cron:
            found += _cron(connection, dsn, report)
        return found


def record(dsn: str, found: list[str]) -> None:
    """Note what was found where platform.health reads it; where that is not deployed, there is nobody to tell."""
    with connect_to(dsn, application_name="geomill verify", autocommit=True) as connection:
        row = connection.execute("SELECT to_regprocedure('app.report_probe(text, text, boolean, jsonb, text)') IS NOT NULL").fetchone()
        if row and row[0]:
            connection.execute(
                "SELECT app.report_probe('schema', current_database(), %s, %s, session_user)",
                (not found, Jsonb({"differences": len(found), "first": found[:5]})),
            )


def _missing_schemas(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute("SELECT nspname FROM pg_catalog.pg_namespace")
    return sorted(set(SCHEMAS) - {row[0] for row in rows})


def _static(connection: psycopg.Connection[Any], found: list[str]) -> list[str]:
    """geo and h3, of which the rest of this knows only that they are there; their functions, where those have what they work on."""
    if {f"missing    schema {schema}" for schema in static.SCHEMAS} & set(found):
        return []
    differences = static.differences(connection)
    if any(line.split()[1] in _SHAPES for line in differences) or not plpgsql.is_available(connection):
        return differences
    return differences + plpgsql.errors(connection, static.SCHEMAS)


def _functions(connection: psycopg.Connection[Any], report: Report) -> list[str]:
    if not plpgsql.is_available(connection):
        report("functions were not checked: plpgsql_check is not installed, and only a superuser can")
        return []
    return plpgsql.errors(connection, generate.SCHEMAS)


def _pgstac(connection: psycopg.Connection[Any]) -> list[str]:
    live = pgstac.live_version(connection)
    if live is None:
        return []  # the schema is missing, and was named
    found = [] if live == pgstac.WANTED_VERSION else [f"different  pgstac is {live}, wanted {pgstac.WANTED_VERSION}"]
    found += [f"missing    function pgstac.{function}" for function in pgstac.missing_functions(connection)]
    found += [f"missing    {right}" for right, _ in pgstac.missing_rights(connection)]
    return found


def _cron(connection: psycopg.Connection[Any], dsn: str, report: Report) -> list[str]:
    home = cron.cron_database(connection)
    if home is None:
        report("pg_cron is not loaded on this server: a worker runs the janitor")
        return []
    database = connection.info.dbname
    try:
        jobs = cron.missing(dsn, database, home)
    except psycopg.Error as error:
        report(f"pg_cron in database {home} could not be looked at: {str(error).strip()}")
        return []
    return [f"missing    pg_cron job geomill:{database}:{job} in database {home}, as deploy schedules it" for job in jobs]
