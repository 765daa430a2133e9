"""Carry out steps: in as few transactions as PostgreSQL allows, never waiting long for a lock, looking twice at the end.

A transaction that meets a lock of live work is undone and begun again. The one that changes most is compared with the plan's
end before it commits. What cannot be one transaction is planned from what is there, so an interrupted deploy is ended by the
next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import psycopg
from psycopg import errors, sql

from codegen import catalog, shadow
from codegen.catalog import Catalog, Difference, Key
from codegen.plan_file import transactions
from codegen.refusal import RefusedError
from codegen.settings import settings
from codegen.steps import Step

Report = Callable[[str], None]
Left = Callable[[Catalog, Collection[Key]], list[Difference]]
"""What a catalog still lacks, but for things that later steps change."""

# A lock of live work, or a deploy of another database of the cluster that makes the same roles at the same moment.
PASSING = (errors.LockNotAvailable, errors.DeadlockDetected, errors.UniqueViolation, errors.DuplicateObject, errors.InternalError_)


class InterruptedDeployError(RefusedError):
    """Some transactions were committed, and a later one failed."""


def apply(
    connection: psycopg.Connection[Any],
    steps: Sequence[Step],
    schemas: Sequence[str],
    left: Left,
    report: Report,
    record: Callable[[bool], None],
    reached: Callable[[str], None] = lambda _: None,
) -> None:
    """Run steps, verify, record. `record(ended)` writes the deployment's row in the transaction that changes most.

    Raises RefusedError if nothing was changed, InterruptedDeployError if something was.
    """
    groups = transactions(steps)
    if not any(group[0].when == "change" for group in groups):
        place = sum(1 for group in groups if group[0].when in ("labels", "expand"))
        groups.insert(place, [])
    committed = False
    for position, group in enumerate(groups):
        later = [step for following in groups[position + 1 :] for step in following]
        title = group[0].title if group else "the record"
        try:
            reached(title)
            if group and group[0].concurrently:
                _alone(connection, group[0], report)
            else:
                main = not group or group[0].when == "change"
                retried(lambda: _together(connection, group, schemas, left, later, record if main else None, reached), report)  # noqa: B023
        except (psycopg.Error, RefusedError) as error:
            if not committed:
                raise
            raise InterruptedDeployError(
                title, str(error).strip(), "what came before it is committed and can stay: deploy again, or roll back"
            ) from error
        committed = True


def retried(step: Callable[[], Any], report: Report) -> Any:
    """A step, begun again where it met what passes by itself."""
    attempts = settings().deploy_attempts
    for attempt in range(1, attempts + 1):
        try:
            return step()
        except PASSING as error:
            if attempt == attempts or (isinstance(error, errors.InternalError_) and "concurrently" not in str(error)):
                raise
            report(f"waiting: {str(error).splitlines()[0]}")
            time.sleep(min(0.1 * attempt, 1.0))
    raise AssertionError("unreachable")


def _together(
    connection: psycopg.Connection[Any],
    group: Sequence[Step],
    schemas: Sequence[str],
    left: Left,
    later: Sequence[Step],
    record: Callable[[bool], None] | None,
    reached: Callable[[str], None],
) -> None:
    with connection.transaction():
        timeout = sql.Literal(f"{settings().deploy_lock_timeout_ms}ms")
        connection.execute(sql.SQL("SET LOCAL lock_timeout = {}; SET LOCAL client_min_messages = warning").format(timeout))
        # An autovacuum yields to whoever waits for it, but only once that one has waited for deadlock_timeout: by default longer than
        # a deploy waits at all. Only a superuser may say so.
        connection.execute(
            "SELECT set_config('deadlock_timeout', '50ms', true) FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper"
        )
        for step in group:
            shadow.prepare(connection, step)
            for statement in step.statements:
                connection.execute(statement.encode())
            reached(step.title)
        connection.execute("SET LOCAL ROLE NONE")
        if record is None:
            return
        now = catalog.read(connection, schemas)
        to_come = {key for step in later for key in step.keys}
        # What goes later takes its comments and rights with it.
        to_come |= {thing.key for thing in now.things.values() if not catalog.wholes(thing).isdisjoint(to_come)}
        found = left(now, to_come)
        if found:
            raise RefusedError(
                "deploy",
                f"it would not end where it should:\n{catalog.listed(found)}",
                "nothing of this transaction was kept; a defect of codegen",
            )
        record(not later)


def _alone(connection: psycopg.Connection[Any], step: Step, report: Report) -> None:
    """Statements that PostgreSQL wants outside any transaction; they stand in nobody's way, and may wait for others to end."""
    report(f"{step.title} …")
    connection.execute("SET lock_timeout = 0")
    connection.execute("SET search_path = ''")
    try:
        for statement in step.statements:
            connection.execute(statement.encode())
    finally:
        if not connection.broken:
            connection.execute("RESET lock_timeout; RESET search_path")
