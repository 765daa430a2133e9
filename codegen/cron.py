"""The janitor's place in pg_cron, which lives in one database of the cluster; without pg_cron a worker runs the janitor."""

from __future__ import annotations

from typing import Any

import psycopg

from codegen.connection import connect_to, with_database
from codegen.generate import DB

_SQL = (DB / "cron.sql").read_text()


def cron_database(connection: psycopg.Connection[Any]) -> str | None:
    """The database that pg_cron lives in; None if the server does not load it."""
    row = connection.execute("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'cron.database_name'").fetchone()
    return str(row[0]) if row else None


def schedule(dsn: str, database: str, cron_home: str) -> bool:
    """Schedule the janitor of a database, and what keeps its history short; False if they were. Jobs of databases that are gone go."""
    with connect_to(dsn, application_name="geomill cron") as connection:
        kept = connection.execute("SELECT keep_days, batch FROM app.retention_policy() WHERE what = 'cron_runs'").fetchone()
    keep_days, batch = kept or (None, None)
    with connect_to(with_database(dsn, cron_home), application_name="geomill cron") as connection:
        if not _installed(connection):
            connection.execute("CREATE EXTENSION pg_cron")
        # Several statements with parameters: the client has to put them in.
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(_SQL.encode(), {"database": database, "keep_days": keep_days, "batch": batch})
            while cursor.nextset():
                pass
            return cursor.rowcount > 0


def is_scheduled(dsn: str, database: str, cron_home: str) -> bool:
    """Whether pg_cron starts the janitor of a database each minute, and keeps its own history of that short."""
    return not missing(dsn, database, cron_home)


def missing(dsn: str, database: str, cron_home: str) -> list[str]:
    """The jobs of a database that pg_cron does not run as deploy schedules them: not there, not active, or at another time."""
    with connect_to(dsn, application_name="geomill cron") as connection:
        kept = connection.execute("SELECT keep_days FROM app.retention_policy() WHERE what = 'cron_runs'").fetchone()
    wanted = {"janitor": "* * * * *"} | ({"history": "17 * * * *"} if kept and kept[0] is not None else {})
    with connect_to(with_database(dsn, cron_home), application_name="geomill cron") as connection:
        if not _installed(connection):
            return sorted(wanted)
        rows = connection.execute(
            """
            SELECT jobname, schedule FROM cron.job
             WHERE jobname LIKE 'geomill:%%' AND active AND (database = %s OR jobname LIKE '%%:history')
               AND (command = 'SELECT app.run_janitor()' OR jobname NOT LIKE '%%:janitor')
            """,
            [database],
        ).fetchall()
    return sorted(job for job, schedule in wanted.items() if (f"geomill:{database}:{job}", schedule) not in rows)


def _installed(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'").fetchone()
    return bool(row and row[0])
