"""Deploy: bring a database to what the models, templates and workflows say, beside live workers, or not at all.

Extensions, roles and pgstac come first, each only where something is missing. Then the plan is made, and carried out if it
is the one that was read, if nothing in its way is hazardous unless allowed by name, and if no row is against it. Collections that
clients publish into are made where they are missing. pg_cron lives in another database and comes last. A deploy that fails after
something was committed takes that back where it can.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import psycopg
from psycopg import errors

from codegen import apply, backup, catalog, cron, differ, generate, history, pgstac, plan_file, plpgsql, shadow
from codegen import plan as planning
from codegen.apply import InterruptedDeployError, Report, retried
from codegen.connection import connect_to, server_of
from codegen.desired import Desired, ours
from codegen.plan import Plan, Target
from codegen.refusal import RefusedError
from codegen.settings import settings

__all__ = ["Report", "deploy", "describe"]


def deploy(
    dsn: str,
    report: Report,
    *,
    with_cron: bool = True,
    allowed: Collection[str] = (),
    plan_id: str | None = None,
    kind: str = "deploy",
    reached: Callable[[str], None] = lambda _: None,
) -> bool:
    """Deploy to the database of a connection string; False if there was nothing to do.

    `plan_id` holds it to a plan that was read. `reached` is told of each step: for tests that stop there.
    """
    with connect_to(dsn, application_name="geomill deploy") as connection, alone(dsn):
        changed = bool(retried(lambda: _prepare(connection), report))
        reached("extensions and roles")
        if retried(lambda: pgstac.migrate(dsn), report):
            report(f"pgstac {pgstac.WANTED_VERSION}, and rights in it")
            changed = True
        reached("pgstac")
        changed = deploy_schemas(connection, ours(), report, allowed=allowed, plan_id=plan_id, kind=kind, reached=reached) or changed
        if changed and settings().validate_generated and plpgsql.is_available(connection):
            _refuse_wrong(plpgsql.errors(connection, generate.SCHEMAS))
        for collection in retried(lambda: pgstac.ensure_collections(connection), report):
            report(f"STAC collection {collection}")
            changed = True
        if with_cron:
            changed = _schedule(connection, dsn, report) or changed
        history.keep_schema(connection.info.dbname)
    report("deployed" if changed else "nothing to do")
    return changed


def _refuse_wrong(found: list[str]) -> None:
    """Functions that would not hold up: too late to refuse the deploy, in time to say so."""
    if found:
        raise InterruptedDeployError(
            "deploy", "functions do not hold up:\n  " + "\n  ".join(found), "mend db/functions and deploy again, or roll back"
        )


@contextlib.contextmanager
def alone(dsn: str) -> Iterator[None]:
    """No other deploy or plan in this database meanwhile: a lock of a transaction that lasts as long, of a connection of its own."""
    with connect_to(dsn, application_name="geomill deploy lock", autocommit=False) as guard:
        shadow.lock(guard)
        yield


def deploy_schemas(
    connection: psycopg.Connection[Any],
    desired: Desired,
    report: Report,
    *,
    allowed: Collection[str] = (),
    plan_id: str | None = None,
    kind: str = "deploy",
    reached: Callable[[str], None] = lambda _: None,
) -> bool:
    """Plan and carry out; False if there was nothing to do. The caller holds the deploy lock (`alone`)."""
    plan, target = planning.made(connection, desired, allowed=allowed, locked=True)
    for stranger in plan.strangers:
        report(f"left alone: {stranger}")
    if plan_id is not None and plan_id != plan.id and not (desired.is_ours and history.interrupted_plan(connection) == plan_id):
        raise RefusedError(
            "deploy", "the database or the models have moved since the plan was made", "read what has changed: plan again, then deploy"
        )
    if not plan:
        return _end_interrupted(connection, desired, plan)
    refuse(plan, allowed)
    for line in plan.differences:
        report(line)
    if settings().backup_before_deploy:
        for path in backup.keep_lost(connection, plan):
            report(f"kept before it goes: {path}")
    _carry_out(connection, desired, plan, target, report, allowed, kind, reached)
    return True


def refuse(plan: Plan, allowed: Collection[str]) -> None:
    """Refuse what is hazardous and was not allowed, and what rows are against."""
    if plan.blocked:
        raise RefusedError(
            "deploy", "rows are against it:\n  " + "\n  ".join(plan.blocked), "mend these rows, or the model; nothing was changed"
        )
    others = [hazard for hazard in plan.hazards if hazard.flag not in set(allowed)]
    if others:
        why = "\n".join(f"  {hazard.name}: {hazard.object}: {hazard.why}" for hazard in others)
        raise RefusedError("deploy", f"it is hazardous:\n{why}", f"nothing was changed; if this is meant: {plan_file.flags(others)}")


def _carry_out(
    connection: psycopg.Connection[Any],
    desired: Desired,
    plan: Plan,
    target: Target,
    report: Report,
    allowed: Collection[str],
    kind: str,
    reached: Callable[[str], None],
) -> None:
    several = any(step.when != "change" for step in plan.steps)
    row = history.begin(connection, kind, plan.id, allowed) if desired.is_ours and several else None
    rows = [row]

    def left(now: catalog.Catalog, but: Collection[catalog.Key]) -> list[catalog.Difference]:
        theirs = {thing.key for thing in catalog.strangers(now, target.wanted)}
        return target.left(now.without(theirs), but=but)

    def record(ended: bool) -> None:
        if desired.is_ours:
            now = catalog.read(connection, desired.schemas)
            rows[0] = history.complete(connection, row, _said(plan, kind, allowed, catalog.fingerprint(now)), ended=ended)

    try:
        apply.apply(connection, plan.steps, desired.schemas, left, report, record, reached)
        with connection.transaction():
            now = catalog.read(connection, desired.schemas)
            found = left(now, ())
        if found:
            raise InterruptedDeployError(
                "deploy", f"it did not end where it should:\n{catalog.listed(found)}", "deploy again, or roll back"
            )
    except InterruptedDeployError as error:
        _take_back(connection, desired, plan, target, report, error)
        raise
    if several and rows[0] is not None:
        history.end(connection, rows[0], catalog.fingerprint(now))


def _said(plan: Plan, kind: str, allowed: Collection[str], fingerprint: str) -> dict[str, Any]:
    """What the record of a deploy holds."""
    reverse = None
    if plan.reverse is not None:
        reverse = {
            "steps": [plan_file.step_document(step) for step in plan.reverse],
            "ends": [[list(key), list(words)] for key, words in plan.ends],
        }
    return {
        "kind": kind,
        "catalog_fingerprint": fingerprint,
        "catalog_before": plan.live if plan.reverse is not None else None,
        "plan_id": plan.id,
        "allowed": list(allowed),
        "sql": "\n\n".join(statement.strip() for step in plan.steps for statement in step.statements),
        "reverse_plan": reverse if reverse is not None else {"irreversible": plan.irreversible},
    }


def _take_back(
    connection: psycopg.Connection[Any], desired: Desired, plan: Plan, target: Target, report: Report, error: InterruptedDeployError
) -> None:
    """From wherever it stopped back to where it began, unless something is lost already."""
    if any(hazard.name == "data-loss" for hazard in plan.hazards) or plan.reverse is None:
        report(f"stopped: {error.why.splitlines()[0]}; it cannot be taken back: deploy again goes on from here")
        return
    report(f"stopped: {error.why.splitlines()[0]}; taking back what was done")
    try:
        with connection.transaction():
            now = catalog.read(connection, desired.schemas)
        theirs = {thing.key for thing in catalog.strangers(now, target.wanted)}
        facts = differ.Facts(lambda table: planning.has_rows(connection, table), desired.hot)
        steps = [*differ.between(now.without(theirs), target.live, facts), *(step for step in plan.reverse if not step.keys)]
        apply.apply(connection, steps, desired.schemas, lambda *_: [], report, lambda _: None)
    except (psycopg.Error, RefusedError) as again:
        report(f"that failed as well: {str(again).splitlines()[0]}; deploy again goes on from here")


def _end_interrupted(connection: psycopg.Connection[Any], desired: Desired, plan: Plan) -> bool:
    """Nothing is left to do of a deploy that was interrupted at its very end: its record is ended."""
    interrupted = desired.is_ours and history.interrupted_plan(connection) is not None
    if interrupted:
        connection.execute(
            """
            UPDATE app.schema_deployments
               SET status = 'completed', catalog_fingerprint = %s, completed_at = clock_timestamp() WHERE status = 'started'
            """,
            [plan.live],
        )
    return interrupted


def _prepare(connection: psycopg.Connection[Any]) -> bool:
    """Extensions and roles. False if they were there."""
    with connection.transaction():
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


def describe(dsn: str) -> str:
    """Where a connection string leads, without its password."""
    parts = server_of(dsn)
    server = parts.get("host") or parts.get("hostaddr") or parts.get("service") or "the default server"
    return f"{parts.get('dbname') or 'the default database'} on {server}" + (f":{parts['port']}" if "port" in parts else "")
