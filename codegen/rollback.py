"""Take the last deploy back, by the steps that were stored with it, or say why not.

The steps were rehearsed when the deploy was planned. They are run only on the very schemas that the deploy left, what they
would lose is judged by the rows there are now, and the end is compared with what was there before.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg

from codegen import apply, catalog, history, plan_file
from codegen import plan as planning
from codegen.apply import Report
from codegen.catalog import Catalog, Difference, Key
from codegen.connection import connect_to
from codegen.deploy import alone
from codegen.desired import ours
from codegen.refusal import RefusedError
from codegen.steps import Hazard, Step


def rollback(dsn: str, report: Report, *, allowed: Collection[str] = (), dry_run: bool = False) -> None:
    """Take the last deploy back."""
    with connect_to(dsn, application_name="geomill rollback") as connection, alone(dsn):
        schemas = ours().schemas
        row, steps, ends = _stored(connection)
        with connection.transaction():
            before = catalog.read(connection, schemas)
        if catalog.fingerprint(before) != row["catalog_fingerprint"]:
            raise RefusedError(
                "rollback",
                "the schemas are not as that deploy left them",
                "bring them back (make verify names what differs), then roll back",
            )
        for step in steps:
            report(step.title)
        _refuse(connection, steps, allowed)
        if dry_run:
            report("nothing was changed: a dry run")
            return

        def left(now: Catalog, but: Collection[Key]) -> list[Difference]:
            return [one for one in _others(before, now, ends) if one.key not in but]

        number = [0]

        def record(ended: bool) -> None:
            now = catalog.read(connection, schemas)
            said = {
                "kind": "rollback",
                "catalog_fingerprint": catalog.fingerprint(now),
                "catalog_before": row["catalog_fingerprint"],
                "allowed": list(allowed),
                "sql": "\n\n".join(statement for step in steps for statement in step.statements),
                "reverse_plan": {"irreversible": "it took a deploy back: deploy again instead"},
            }
            number[0] = history.complete(connection, None, said, ended=ended)

        apply.apply(connection, steps, schemas, left, report, record)
        if any(step.when != "change" for step in steps):
            with connection.transaction():
                now = catalog.read(connection, schemas)
            history.end(connection, number[0], catalog.fingerprint(now))
    report("rolled back")


def _stored(connection: psycopg.Connection[Any]) -> tuple[dict[str, Any], list[Step], dict[Key, list[str | None]]]:
    row = history.last(connection)
    if row is None:
        raise RefusedError("rollback", "no deploy is on record", "there is nothing to take back")
    if row["status"] == "started":
        raise RefusedError("rollback", "the last deploy was interrupted", "deploy again first: it goes on from where that one stopped")
    stored = row["reverse_plan"] or {}
    if "steps" not in stored:
        why = stored.get("irreversible") or "it was recorded without a way back"
        raise RefusedError(
            "rollback",
            f"deployment {row['deployment_id']} ({row['kind']}) cannot be taken back: {why}",
            "deploy the earlier revision instead",
        )
    ends = {(str(kind), str(name)): list(words) for (kind, name), words in stored["ends"]}
    return row, [plan_file.step_from(document) for document in stored["steps"]], ends


def _refuse(connection: psycopg.Connection[Any], steps: list[Step], allowed: Collection[str]) -> None:
    """By the rows there are now."""
    active: list[Hazard] = [
        hazard for step in steps for hazard in step.hazards if hazard.table is None or planning.has_rows(connection, hazard.table)
    ]
    others = [hazard for hazard in active if hazard.flag not in set(allowed)]
    if others:
        why = "\n".join(f"  {hazard.name}: {hazard.object}: {hazard.why}" for hazard in others)
        raise RefusedError("rollback", f"it is hazardous:\n{why}", f"nothing was changed; if this is meant: {plan_file.flags(others)}")
    blocked = planning.blocked(connection, steps)
    if blocked:
        raise RefusedError("rollback", "rows are against it:\n  " + "\n  ".join(blocked), "mend these rows; nothing was changed")


def _others(before: Catalog, now: Catalog, ends: dict[Key, list[str | None]]) -> list[Difference]:
    """What is neither as it was before the deploy, nor untouched by it."""
    found = []
    for kind, name in sorted(before.things.keys() | now.things.keys()):
        there = now.get((kind, name))
        definition = there.definition if there else None
        was = before.get((kind, name))
        expected = ends.get((kind, name), [was.definition if was else None])
        if definition not in expected:
            found.append(Difference(kind, name, definition, expected[0]))
    return found
