"""The wipe: app and pgstac dropped, app made again, and what platform owes taken up, in one transaction.

pgstac comes back by a process of its own (codegen/pgstac.py), and the catalogue from what platform keeps of it
(codegen/republish.py); the row of platform.rebuilds that this transaction writes says that both are still to be done.

Ids go on where they stood: a worker that comes back late with an attempt of before the wipe meets no other task under its
number, and its completion is as stale as any.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from codegen import catalog, generate, impact, shadow, workflow_rows
from codegen.ddl import Statement
from codegen.deploy import Report
from codegen.quoting import name, names
from codegen.refusal import RefusedError
from codegen.settings import settings
from codegen.templates import LOCKS
from codegen.version import git_revision, version
from codegen.workflows.catalogue import DISCARD_ARTEFACTS, UNPUBLISH_JOBS

KEPT = ("schema_deployments", "paused_task_types", "paused_clients", "schedules", "retention")
"""Tables of app whose rows outlive it: what people decided or did, not what ran."""

CAPS = "caps"
"""As those, but a cap is set anew: it has slots, of which tasks that are gone hold some."""

TAKEN_UP = [DISCARD_ARTEFACTS.name, *(job.name for job in UNPUBLISH_JOBS.values())]
"""Job types that clean up behind requests: such a job that serves no request is submitted again."""

PASSING = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
"""Locks of live work: the whole begins again."""

_BROKEN = (psycopg.ProgrammingError, psycopg.InternalError, psycopg.NotSupportedError)
"""What reading a schema that is not as it should be ends in."""

T = TypeVar("T")


def wipe(connection: psycopg.Connection[Any], kind: str, schemas: Sequence[str], report: Report, *, force: bool) -> None:
    """Drop the schemas, make app again if it is among them, and note it. Whole or not at all."""
    # What takes long is done beforehand, beside live work; what is published meanwhile is found again below.
    compared = "pgstac" in schemas and _readable(connection, partial(_compare, connection, report), report) is not None
    wait = 0.1
    for attempt in range(1, settings().deploy_attempts + 1):
        said: list[str] = []
        try:
            with connection.transaction():
                _wipe(connection, kind, schemas, said.append, force=force, compared=compared)
        except PASSING as error:
            if attempt == settings().deploy_attempts:
                raise RefusedError(
                    kind,
                    f"a lock could not be had in {attempt} attempts: {str(error).splitlines()[0]}\n" + "\n".join(_in_the_way(connection)),
                    "nothing was changed; stop the workers, or end these transactions, and run it again",
                ) from error
            time.sleep(wait)
            wait = min(wait * 1.5, 2.0)
        except errors.OutOfMemory as error:
            raise RefusedError(
                kind,
                f"the server has no room for the locks of everything that goes: {str(error).splitlines()[0]}",
                "nothing was changed; raise max_locks_per_transaction, restart the server, and run it again",
            ) from error
        else:
            for line in said:
                report(line)
            return


def _compare(connection: psycopg.Connection[Any], report: Report) -> bool:
    ((collections, items),) = connection.execute("SELECT k.collections, k.items FROM app.stac_keep() AS k").fetchall()
    report(f"copied from pgstac, for platform did not have them so: {collections} collections, {items} items")
    return True


def _wipe(connection: psycopg.Connection[Any], kind: str, schemas: Sequence[str], report: Report, *, force: bool, compared: bool) -> None:
    shadow.lock(connection)
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{settings().deploy_lock_timeout_ms}ms")))
    connection.execute("SET LOCAL client_min_messages = warning")
    if force:
        for pid, application in impact.holds(connection):
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            report(f"backend {pid} ({application}) was ended, with the effects of its task")
    # The order of the engine's own locks: catalogue, jobs and tasks, requests.
    connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", [LOCKS["catalogue"]])
    if "app" in schemas:
        _lock(connection, "app", "ACCESS EXCLUSIVE")
        _lock(connection, "platform", "SHARE ROW EXCLUSIVE")
    if (found := _readable(connection, partial(impact.running, connection), report)) and not force:
        raise RefusedError(kind, "tasks are running:\n  " + "\n  ".join(found), "nothing was changed; let them end, or give --force")

    done: dict[str, Any] = {"schemas": list(schemas), "forced": force, "running": found or []}
    statements = ""
    if "app" in schemas:
        statements = _make_app_again(connection, done, report)
    if "pgstac" in schemas:
        done["kept"] = _keep_catalogue(connection, kind, report, force=force, compared=compared)
        connection.execute("DROP SCHEMA IF EXISTS pgstac CASCADE")
        statements += "\nDROP SCHEMA IF EXISTS pgstac CASCADE;"
        report("pgstac dropped")
    _record(connection, kind, statements.strip())
    connection.execute(
        "INSERT INTO platform.rebuilds (kind, phase, requested_by, software_version, report) VALUES (%s, 'wiped', %s, %s, %s)",
        [kind, connection.info.user, version(), Jsonb(done)],
    )


def _make_app_again(connection: psycopg.Connection[Any], done: dict[str, Any], report: Report) -> str:
    """Drop app and make it again; the SQL that did."""
    sequences = _readable(connection, partial(_sequences, connection), report) or {}
    rows = {table: _readable(connection, partial(_rows, connection, table), report) or [] for table in (*KEPT, CAPS)}
    leftovers = _readable(connection, partial(_leftovers, connection), report) or []

    connection.execute("DROP SCHEMA IF EXISTS app CASCADE")
    ran = ["DROP SCHEMA IF EXISTS app CASCADE;"]
    for statement in _statements():
        if statement.kind == "schema":
            connection.execute(statement.sql.encode())
            ran.append(statement.sql)
    shadow.act_as_owner(connection)
    for statement in _statements():
        if statement.kind != "schema":
            connection.execute(statement.sql.encode())
            ran.append(statement.sql)
    workflow_rows.deploy(connection)
    report("app dropped and made again")

    for sequence, value in sequences.items():
        connection.execute(
            "SELECT setval(c.oid::regclass, %s) FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass(%s)", [value, sequence]
        )
    caps = rows.pop(CAPS)
    _readable(connection, partial(_set_caps, connection, caps), report)
    for table, kept in rows.items():
        _readable(connection, partial(_put_back, connection, table, kept), report)
    # A deploy that was interrupted has nothing left to go on with.
    connection.execute("UPDATE app.schema_deployments SET status = 'failed', completed_at = clock_timestamp() WHERE status = 'started'")
    done.update(_recover(connection, leftovers, report))
    connection.execute("SET LOCAL ROLE NONE")
    return "\n\n".join(ran)


def _statements() -> list[Statement]:
    """What makes app, and what of platform goes with it or names it: functions."""
    return [
        statement
        for statement in generate.statements()
        if statement.schema == "app" or statement.phase in ("functions", "validators") or statement.kind == "schema grant"
    ]


def _sequences(connection: psycopg.Connection[Any]) -> dict[str, int]:
    rows = connection.execute(
        """
        SELECT format('app.%I', c.relname), pg_catalog.pg_sequence_last_value(c.oid::regclass)
          FROM pg_catalog.pg_class AS c WHERE c.relnamespace = to_regnamespace('app') AND c.relkind = 'S'
        """
    )
    return {sequence: value for sequence, value in rows if value is not None}


def _rows(connection: psycopg.Connection[Any], table: str) -> list[dict[str, Any]]:
    (there,) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"app.{table}"]).fetchall()[0]
    if not there:
        return []  # an older app
    statement = sql.SQL("SELECT to_jsonb(t) FROM {} AS t ORDER BY t").format(name("app", table))
    return [row[0] for row in connection.execute(statement)]


def _put_back(connection: psycopg.Connection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    """Rows of the old table into the new one, in the columns that both have."""
    if not rows:
        return
    columns = [
        row[0]
        for row in connection.execute(
            """
            SELECT a.attname FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
            """,
            [f"app.{table}"],
        )
        if row[0] in rows[0]
    ]
    it, both = name("app", table), names(columns)
    insert = sql.SQL("INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM jsonb_populate_recordset(NULL::{0}, %s)").format(
        it, both
    )
    connection.execute(insert, [Jsonb(rows)])


def _set_caps(connection: psycopg.Connection[Any], caps: list[dict[str, Any]]) -> None:
    for cap in caps:
        connection.execute("SELECT app.set_cap(%s, %s, %s)", [cap["kind"], cap["name"], cap["slots"]])


def _leftovers(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    rows = connection.execute(
        """
        SELECT jsonb_build_object('job_type', j.job_type, 'parameters', j.parameters, 'correlation_id', j.correlation_id)
          FROM app.jobs AS j
         WHERE j.platform_request_id IS NULL AND j.job_type = ANY (%s) AND j.status IN ('pending', 'processing', 'failed')
         ORDER BY j.created_at, j.job_id
        """,
        [TAKEN_UP],
    )
    return [row[0] for row in rows]


def _recover(connection: psycopg.Connection[Any], leftovers: list[dict[str, Any]], report: Report) -> dict[str, Any]:
    """Have platform take up what it owes; what that was."""
    refused = []
    for job in leftovers:
        try:
            with connection.transaction():
                connection.execute(
                    "SELECT app.submit_job_with(%s, %s, 0, NULL, 1, %s)", [job["job_type"], Jsonb(job["parameters"]), job["correlation_id"]]
                )
        except psycopg.DatabaseError as error:
            if isinstance(error, PASSING):
                raise
            refused.append(job | {"reason": str(error).splitlines()[0]})
    row = connection.execute("SELECT to_jsonb(r) FROM platform.recover_from_wipe() AS r").fetchone()
    recovered: dict[str, Any] = row[0] if row else {}
    report(f"requests ended as failed, to be retried: {', '.join(recovered['requests']) or 'none'}")
    report(f"webhooks that are owed: {recovered['deliveries']}; removals that begin again: {', '.join(recovered['removals']) or 'none'}")
    for job in refused:
        report(f"left behind: {job['job_type']} {job['parameters']}: {job['reason']}")
    return recovered | {"taken_up": len(leftovers) - len(refused), "refused": refused}


def _keep_catalogue(connection: psycopg.Connection[Any], kind: str, report: Report, *, force: bool, compared: bool) -> dict[str, Any]:
    """What only the catalogue has, copied to platform before it goes."""
    (there,) = connection.execute("SELECT to_regclass('pgstac.items') IS NOT NULL").fetchall()[0]
    if not there:
        report("there is no pgstac to copy from: what platform keeps is all there is")
        return {}
    try:
        with connection.transaction():
            row = connection.execute("SELECT to_jsonb(k) FROM app.stac_keep(%s) AS k", [not compared]).fetchone()
    except _BROKEN as error:
        if not force:
            raise RefusedError(
                kind,
                f"what is only in pgstac could not be copied: {str(error).splitlines()[0]}",
                "nothing was changed; mend pgstac, or give --force: then what platform does not keep is lost",
            ) from error
        report(f"lost with --force, for pgstac could not be read: what platform does not keep ({str(error).splitlines()[0]})")
        return {}
    kept: dict[str, Any] = row[0] if row else {}
    return kept


def _record(connection: psycopg.Connection[Any], kind: str, statements: str) -> None:
    connection.execute(
        """
        INSERT INTO app.schema_deployments
            (kind, deployed_by, software_version, git_revision, fingerprint, catalog_fingerprint, sql, reverse_plan, completed_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())
        """,
        [
            "rebuild" if kind == "rebuild" else "redeploy",
            connection.info.user,
            version(),
            git_revision(),
            generate.fingerprint(),
            catalog.fingerprint(catalog.read(connection, generate.SCHEMAS)),
            statements,
            Jsonb({"irreversible": "what was wiped is gone"}),
        ],
    )


def _lock(connection: psycopg.Connection[Any], schema: str, mode: str) -> None:
    """Every table of a schema, so that nobody is in the middle of something."""
    tables = connection.execute(
        "SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p') ORDER BY relname",
        [schema],
    ).fetchall()
    if tables:
        every = sql.SQL(", ").join([name(schema, table) for (table,) in tables])
        connection.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(every, sql.SQL(mode)))


def _readable(connection: psycopg.Connection[Any], read: Callable[[], T], report: Report) -> T | None:
    """What could be read; None, and a word about it, where the schema is too broken for that."""
    try:
        with connection.transaction():
            return read()
    except (*_BROKEN, psycopg.IntegrityError, psycopg.DataError) as error:
        report(f"not carried over, for the schema is not as it should be: {str(error).splitlines()[0]}")
        return None


def _in_the_way(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        """
        SELECT format('  backend %s (%s, %s), in a transaction since %s', a.pid, a.usename, a.application_name, a.xact_start)
          FROM pg_catalog.pg_stat_activity AS a
         WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
         ORDER BY a.xact_start LIMIT 5
        """
    )
    return [row[0] for row in rows]
