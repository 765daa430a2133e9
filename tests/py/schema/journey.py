"""One journey of a small schema with rows: planned, refused, deployed, planned again, taken back; told line by line.

What must be so whatever the schemas are is asserted here. The rest is told, for a golden file that people read.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from codegen import apply, catalog, deploy, plan_file, rollback
from codegen import plan as planning
from codegen.catalog import Catalog, Difference, Key
from codegen.desired import Desired
from codegen.plan import Plan
from codegen.refusal import RefusedError
from codegen.steps import Step

Rows = dict[str, dict[str, list[str | None]]]
"""The values of each column of each table, as text and sorted."""


@dataclass(frozen=True)
class Told:
    """What a journey has to tell."""

    lines: list[str]
    plan: Plan | None
    """None: planning itself was refused."""


def settle(connection: psycopg.Connection[Any], desired: Desired, rows: str = "") -> None:
    """The schema made anew, with rows; of an earlier journey nothing is left, a stranger's schema neither."""
    with connection.transaction():
        connection.execute("SET LOCAL client_min_messages = warning")
        for schema in (*desired.schemas, "elsewhere"):
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    assert deploy.deploy_schemas(connection, desired, lambda _: None)
    connection.execute(rows.encode())


def travel(connection: psycopg.Connection[Any], desired: Desired) -> Told:
    """From what is there to what is desired and back, where there is a way back."""
    began = state(connection, desired.schemas)
    try:
        plan = planning.plan(connection, desired)
    except RefusedError as error:
        assert state(connection, desired.schemas) == began
        return Told([f"refused: {line}" for line in str(error).splitlines()], None)
    assert state(connection, desired.schemas) == began, "planning has left something behind"
    lines = [re.sub(r" \(plan [0-9a-f]{12}\)", "", line) for line in plan_file.listing(plan)]
    if not plan:
        return Told([*lines, "nothing to do"], plan)
    flags = [hazard.flag for hazard in plan.hazards]
    if plan.blocked or flags:
        said = refusal(connection, desired)
        assert state(connection, desired.schemas) == began, "a refused deploy has left something behind"
        if plan.blocked:
            assert all(line in said for line in plan.blocked)
            return Told([*lines, *_of_way_back(plan)], plan)
        assert plan_file.flags(plan.hazards) in said
    deploy.deploy_schemas(connection, desired, lambda _: None, allowed=flags)
    again = planning.plan(connection, desired)
    assert not again.steps, [step.title for step in again.steps]
    ended = state(connection, desired.schemas)
    lines += ["", *_of_rows("after it", began[1], ended[1], desired, _named_in(plan.steps, desired))]
    lines += _of_way_back(plan)
    if plan.reverse is not None:
        lines += _back(connection, desired, plan, began)
    return Told(lines, plan)


def refusal(connection: psycopg.Connection[Any], desired: Desired, allowed: Collection[str] = ()) -> str:
    """What a deploy without flags says; it must be refused."""
    try:
        deploy.deploy_schemas(connection, desired, lambda _: None, allowed=allowed)
    except RefusedError as error:
        return str(error)
    raise AssertionError("a deploy that should have been refused was not")


def state(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> tuple[Catalog, Rows, list[str]]:
    """The catalog, the rows, and every schema of the database: nobody has left one of theirs aside."""
    with connection.transaction():
        found = catalog.read(connection, schemas)
        tables = [thing.name for thing in found.of_kind("table")]
        columns = {table: [one for one in found.of_kind("column") if one.detail["table"] == table] for table in tables}
        connection.execute("SET LOCAL row_security = off")
        rows = {
            table: {one.detail["column"]: _values(connection, table, one.detail["column"]) for one in columns[table]} for table in tables
        }
        others = connection.execute("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1").fetchall()
    return found, rows, [row[0] for row in others]


def _values(connection: psycopg.Connection[Any], table: str, column: str) -> list[str | None]:
    query = sql.SQL('SELECT {0}::text FROM {1} ORDER BY {0}::text COLLATE pg_catalog."C"').format(sql.SQL(column), sql.SQL(table))
    return [row[0] for row in connection.execute(query)]


def _back(connection: psycopg.Connection[Any], desired: Desired, plan: Plan, began: tuple[Catalog, Rows, list[str]]) -> list[str]:
    """By the plan's own reverse steps, as a rollback runs them, and whether that is where it began."""
    assert plan.reverse is not None
    steps: list[Step] = [plan_file.step_from(plan_file.step_document(step)) for step in plan.reverse]
    with connection.transaction():
        before = catalog.read(connection, desired.schemas)
    blocked = planning.blocked(connection, steps)
    if blocked:
        return [f"way back blocked: {line}" for line in blocked]
    active = [one for step in steps for one in step.hazards if one.table is None or planning.has_rows(connection, one.table)]
    ends: dict[Key, list[str | None]] = {key: list(words) for key, words in plan.ends}

    def left(now: Catalog, but: Collection[Key]) -> list[Difference]:
        return [one for one in rollback._others(before, now, ends) if one.key not in but]

    apply.apply(connection, steps, desired.schemas, left, lambda _: None, lambda _: None)
    catalog_again, rows_again, schemas_again = state(connection, desired.schemas)
    apart = [one for one in catalog.differences(catalog_again, began[0]) if one.live not in ends.get(one.key, [one.wanted])]
    assert not apart, catalog.listed(apart)
    assert schemas_again == began[2]
    refused = [f"way back refused until: {plan_file.flags(active)}"] if active else []
    lost = {one.object for one in active if one.name == "not-restored"}
    return [*refused, *_of_rows("taken back", began[1], rows_again, None, _named_in((*plan.steps, *steps), desired), lost)]


def _of_way_back(plan: Plan) -> list[str]:
    if not plan.reverse:
        return []
    lines = ["way back:"]
    for number, step in enumerate(plan.reverse, start=1):
        apart = "" if step.when == "change" else f"{step.when}: "
        lines.append(f"    {number:3}. {apart}{step.title}")
        lines += [f"         ! {hazard.name}: {hazard.why}" for hazard in step.hazards]
    return lines


def _named_in(steps: Sequence[Step], desired: Desired) -> Collection[str] | None:
    """Tables and columns that steps say they change; None where names change as well."""
    if desired.renames:
        return None
    return {named for step in steps for kind, named in step.keys if kind in ("table", "column")}


def _of_rows(
    when: str, before: Rows, after: Rows, desired: Desired | None, changing: Collection[str] | None, lost: Collection[str] = ()
) -> list[str]:
    """What has become of the rows, table by table; columns whose values are the same are not named. No step, no change."""
    lines = []
    tables = {f"{one.of.partition('.')[0]}.{one.old}": one.of for one in (desired.renames if desired else ()) if one.kind == "table"}
    columns = {(one.of, one.old): one.new for one in (desired.renames if desired else ()) if one.kind == "column"}
    for table, values in before.items():
        count = len(next(iter(values.values()), []))
        now = tables.get(table, table)
        if now not in after:
            assert changing is None or now in changing
            lines.append(f"{when}: {table} is gone with {_counted(count)}")
            continue
        left = len(next(iter(after[now].values()), []))
        if left == 0 and now in lost:
            lines.append(f"{when}: {table} is there again, without its {_counted(count)}")
            continue
        assert left == count, f"{table} has lost rows"
        told = []
        for column, old in values.items():
            new = after[now].get(columns.get((now, column), column))
            assert new == old or changing is None or f"{now}.{column}" in changing, f"{now}.{column} was {old}, is {new}"
            if new is None:
                told.append(f"{column} is gone")
            elif new != old:
                told.append(f"{column} was {_listed(old)}, is {_listed(new)}")
        if count:
            lines.append(f"{when}: {now} has its {_counted(count)}" + "".join(f"; {one}" for one in told))
    return lines


def _counted(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _listed(values: list[str | None]) -> str:
    return ", ".join("NULL" if value is None else value for value in values)


def differing(expected: str, found: str) -> str:
    """Two goldens, as a reviewer reads them."""
    return "\n".join(difflib.unified_diff(expected.splitlines(), found.splitlines(), "plan.txt", "found", lineterm=""))
