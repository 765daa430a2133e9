"""Bring a database to what the models, templates and workflows say: idempotent, and safe beside live workers.

Extensions, roles and pgstac come first, each only where something is missing. Then everything of ours is one transaction:
made, compared with the generated schemas, recorded, committed. pg_cron lives in another database and comes last.

On a database that has our schemas, what CREATE OR REPLACE can mend is mended: functions, triggers, policies, rights,
comments, workflow rows. What needs an ALTER of a table or a type is refused with the list of differences; the differ, which
will plan that, has its place in `_refuse_others`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql

from codegen import catalog, cron, generate, pgstac, shadow, workflow_rows
from codegen.catalog import Difference
from codegen.connection import connect_to, server_of
from codegen.ddl import Statement
from codegen.quoting import name
from codegen.refusal import RefusedError
from codegen.version import git_revision, version

Report = Callable[[str], None]

ATTEMPTS = 20
"""How often a deploy that met a lock, or another deploy in the cluster, begins again."""

_REPLACEABLE = {"function", "trigger", "policy", "comment"}

# A lock of live work, or a deploy of another database of the cluster that makes the same roles at the same moment.
_PASSING = (errors.LockNotAvailable, errors.DeadlockDetected, errors.UniqueViolation, errors.DuplicateObject, errors.InternalError_)

STATIC_SCHEMA = "01_schema.sql"
"""The file of geo and of h3 that makes the schema."""

STATIC_MARK = "-- static SQL of geo and h3, SHA-256 "


@dataclass
class Applied:
    """What a deploy has done so far, as the SQL that did it."""

    sql: list[str] = field(default_factory=list)

    def run(self, connection: psycopg.Connection[Any], statement: str) -> None:
        connection.execute(statement.encode())
        self.sql.append(statement.strip())

    def __bool__(self) -> bool:
        return bool(self.sql)


def deploy(dsn: str, report: Report, *, with_cron: bool = True) -> bool:
    """Deploy to the database of a connection string; False if there was nothing to do."""
    with connect_to(dsn, application_name="geomill deploy") as connection:
        changed = _retried(lambda: _prepare(connection), report)
        if _retried(lambda: pgstac.migrate(dsn), report):
            report(f"pgstac {pgstac.WANTED_VERSION}, and rights in it")
            changed = True
        changed = _retried(lambda: _deploy_ours(connection, report), report) or changed
        if with_cron:
            changed = _schedule(connection, dsn, report) or changed
    report("deployed" if changed else "nothing to do")
    return changed


def _prepare(connection: psycopg.Connection[Any]) -> bool:
    """Extensions and roles. False if they were there."""
    with connection.transaction():
        shadow.lock(connection)
        before = _globals(connection)
        connection.execute("SET LOCAL client_min_messages = warning")
        try:
            connection.execute((generate.DB / "extensions.sql").read_bytes())
            connection.execute((generate.DB / "roles.sql").read_bytes())
        except errors.InsufficientPrivilege as error:
            raise RefusedError(
                "deploy", str(error).strip(), "have a superuser run db/extensions.sql and db/roles.sql in this database, or deploy as one"
            ) from error
        return _globals(connection) != before


def _globals(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        SELECT 'extension', extname::text FROM pg_catalog.pg_extension
        UNION ALL SELECT 'role', rolname::text FROM pg_catalog.pg_roles
        UNION ALL SELECT 'member', roleid::regrole || ' ' || member::regrole FROM pg_catalog.pg_auth_members
        ORDER BY 1, 2
        """
    ).fetchall()


def _deploy_ours(connection: psycopg.Connection[Any], report: Report) -> bool:
    with connection.transaction():
        shadow.lock(connection)
        connection.execute("SET LOCAL lock_timeout = '500ms'")
        connection.execute("SET LOCAL client_min_messages = warning")
        applied = Applied()
        present = shadow.existing(connection)
        found = shadow.compare(connection, present) if present else []
        _refuse_others(found, connection)
        missing = [statement for statement in generate.statements() if statement.schema not in present]
        static = list(generate.static_sql()) if _static_is_due(connection, present) else []

        # Schemas are the deployer's to make; what is in them is their owner's.
        for statement in missing:
            if statement.kind == "schema":
                report(f"schema {statement.name}")
                applied.run(connection, statement.sql)
        for path, content in static:
            if path.name == STATIC_SCHEMA:
                applied.run(connection, content)
        shadow.act_as_owner(connection)
        for statement in missing:
            if statement.kind != "schema":
                applied.run(connection, statement.sql)
        if found:
            _mend(connection, found, applied, report)
        for line in workflow_rows.deploy(connection):
            report(line)
            applied.sql.append(f"-- {line}")
        if static:
            report("static SQL of geo and h3")
            applied.sql.append(_static_mark())
        for path, content in static:
            if path.name != STATIC_SCHEMA:
                applied.run(connection, content)
        if applied:
            _record(connection, applied)
        return bool(applied)


def _record(connection: psycopg.Connection[Any], applied: Applied) -> None:
    """One row for the deploy, after a last look whether it ends where it should."""
    connection.execute("SET LOCAL ROLE NONE")
    live = catalog.read(connection, generate.SCHEMAS)
    left = [str(difference) for difference in catalog.differences(live, shadow.wanted(connection))]
    left += workflow_rows.differences(connection)
    if left:
        raise RefusedError(
            "deploy", "it would not end where it should:\n  " + "\n  ".join(left), "nothing was changed; this is a defect of codegen"
        )
    connection.execute(
        """
        INSERT INTO app.schema_deployments (deployed_by, software_version, git_revision, fingerprint, catalog_fingerprint, sql)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        [connection.info.user, version(), git_revision(), generate.fingerprint(), catalog.fingerprint(live), "\n\n".join(applied.sql)],
    )


def _mend(connection: psycopg.Connection[Any], found: list[Difference], applied: Applied, report: Report) -> None:
    """Mend what CREATE OR REPLACE can."""
    for difference in found:
        report(str(difference))
    for schema in generate.SCHEMAS:
        # New owners of functions have to be allowed to create in their schema, until grants are mended below.
        applied.run(connection, sql.SQL("GRANT CREATE ON SCHEMA {} TO geomill_api;").format(name(schema)).as_string(None))
    # What strangers own is the deployer's to change. Rights go before the functions that they are on.
    connection.execute("SET LOCAL ROLE NONE")
    for difference in sorted(found, key=lambda difference: difference.kind == "function"):
        for statement in _undo(difference):
            applied.run(connection, statement.as_string(None))
    shadow.act_as_owner(connection)
    for made in generate.statements():
        if _concerns(made, found):
            applied.run(connection, made.sql)


def _refuse_others(found: list[Difference], connection: psycopg.Connection[Any]) -> None:
    others = [
        difference
        for difference in found
        if not (difference.kind in _REPLACEABLE or difference.kind.startswith("grant on"))
        or (_needs_drop(difference) and _is_public(connection, difference.name))
    ]
    if others:
        raise RefusedError(
            "deploy",
            f"the database differs from the models in what CREATE OR REPLACE cannot mend:\n{catalog.listed(others)}",
            "nothing was changed; bring the models or the database back (python -m codegen plan shows both sides); "
            "where the rows may go: DROP SCHEMA app, platform CASCADE, and deploy again",
        )


def _needs_drop(difference: Difference) -> bool:
    """Whether a function has to be dropped first: it is gone, or its result or its arguments' names are others."""
    if difference.kind != "function":
        return False
    if difference.wanted is None:
        return True
    return difference.live is not None and _interface(difference.live) != _interface(difference.wanted)


def _interface(definition: str) -> str:
    """The part of a function's definition before its language: name, arguments, result."""
    lines = definition.splitlines()
    return "\n".join(line for line in lines[1:] if line.startswith(("CREATE", " RETURNS")))


def _owner(definition: str) -> str:
    """A function's owner, in the first line of its definition."""
    return definition.partition("\n")[0].removeprefix("-- owner ")


def _is_public(connection: psycopg.Connection[Any], function: str) -> bool:
    """Whether others than its owner may execute it: such a function's shape never changes in place."""
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p
                        CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
                        WHERE p.oid = %s::regprocedure AND a.grantee <> p.proowner)
        """,
        [function],
    ).fetchone()
    return bool(row and row[0])


def _undo(difference: Difference) -> list[sql.Composable]:
    """What has to go before the wanted statement runs. Names are the catalog's own, quoted where they need it."""
    thing, _, of = difference.name.rpartition(" on ")
    match difference.kind:
        case "function" if _needs_drop(difference):
            return [sql.SQL("DROP FUNCTION {};").format(_as_is(difference.name))]
        case "function" if difference.live and difference.wanted and _owner(difference.live) != _owner(difference.wanted):
            # CREATE OR REPLACE leaves the owner as it is.
            return [sql.SQL("ALTER FUNCTION {} OWNER TO {};").format(_as_is(difference.name), _as_is(_owner(difference.wanted)))]
        case "trigger" if difference.live is not None and difference.wanted is None:
            return [sql.SQL("DROP TRIGGER {} ON {};").format(_as_is(thing), _as_is(of))]
        case "policy" if difference.live is not None:
            return [sql.SQL("DROP POLICY {} ON {};").format(_as_is(thing), _as_is(of))]
        case "comment" if difference.wanted is None:
            kind, _, commented = difference.name.partition(" ")
            return [sql.SQL("COMMENT ON {} {} IS NULL;").format(_as_is(kind.upper()), _as_is(commented))]
        case kind if kind.startswith("grant on") and difference.live is not None:
            return _revoke(*_grant(difference))
    return []


def _grant(difference: Difference) -> tuple[str, str, str]:
    """Of a difference in rights: the kind of thing, the thing, and the role."""
    granted, _, role = difference.name.rpartition(" to ")
    return difference.kind.removeprefix("grant on "), granted, role


def _revoke(kind: str, granted: str, role: str) -> list[sql.Composable]:
    if kind == "column":
        table, _, column = granted.rpartition(".")
        return [sql.SQL("REVOKE ALL ({}) ON TABLE {} FROM {};").format(_as_is(column), _as_is(table), _as_is(role))]
    return [sql.SQL("REVOKE ALL ON {} {} FROM {};").format(_as_is(kind.upper()), _as_is(granted), _as_is(role))]


def _as_is(text: str) -> sql.SQL:
    return sql.SQL(text)


def _concerns(statement: Statement, found: list[Difference]) -> bool:
    """Whether a generated statement makes one of the things that differ."""
    if statement.kind == "schema grant":
        return True
    if statement.kind == "function":
        # A function's rights stand in its own file.
        functions = {difference.name.partition("(")[0] for difference in found if difference.kind in ("function", "grant on function")}
        return statement.name in functions
    if statement.kind == "grant":
        return any(statement.name == f"{kind} {granted}" for kind, granted, _ in map(_grant, found))
    return any((statement.kind, statement.name) == (difference.kind, difference.name) for difference in found if difference.wanted)


def _static_is_due(connection: psycopg.Connection[Any], present: list[str]) -> bool:
    """Whether geo or h3 is missing, or what makes them has changed since it was run last."""
    row = connection.execute("SELECT to_regnamespace('geo') IS NULL OR to_regnamespace('h3') IS NULL").fetchone()
    if (row and row[0]) or "app" not in present:
        return True
    row = connection.execute(
        "SELECT position(%s IN sql) = 0 FROM app.schema_deployments WHERE position(%s IN sql) > 0 ORDER BY deployment_id DESC LIMIT 1",
        [_static_mark(), STATIC_MARK],
    ).fetchone()
    return row is None or bool(row[0])


def _static_mark() -> str:
    """The line in a deployment's SQL that says which static SQL it ran."""
    return STATIC_MARK + generate.static_fingerprint()


def _schedule(connection: psycopg.Connection[Any], dsn: str, report: Report) -> bool:
    cron_home = cron.cron_database(connection)
    if cron_home is None:
        report("pg_cron is not loaded on this server: a worker will run the janitor")
        return False
    database = connection.info.dbname
    try:
        scheduled = cron.schedule(dsn, database, cron_home)
    except psycopg.Error as error:
        report(f"pg_cron in database {cron_home} cannot be used ({str(error).strip()}): a worker will run the janitor")
        return False
    if scheduled:
        report(f"pg_cron job geomill:{database}:janitor in database {cron_home}")
    return scheduled


def _retried(step: Callable[[], bool], report: Report) -> bool:
    """A step, begun again where it met what passes by itself."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return step()
        except _PASSING as error:
            if attempt == ATTEMPTS or (isinstance(error, errors.InternalError_) and "concurrently" not in str(error)):
                raise
            report(f"waiting: {str(error).splitlines()[0]}")
            time.sleep(min(0.1 * attempt, 1.0))
    raise AssertionError("unreachable")


def describe(dsn: str) -> str:
    """Where a connection string leads, without its password."""
    parts = server_of(dsn)
    server = parts.get("host") or parts.get("hostaddr") or parts.get("service") or "the default server"
    return f"{parts.get('dbname') or 'the default database'} on {server}" + (f":{parts['port']}" if "port" in parts else "")
