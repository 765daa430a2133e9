"""A plan: the steps from the database as it is to the one the models describe, rehearsed, with the way back.

Planning changes nothing and stands in nobody's way: it reads the live schemas, makes what is wanted beside them, has the
steps found (differ), runs them on a copy without rows and looks whether the end is the wanted one; then the way back, and
whether that leads to the beginning. What PostgreSQL rewrites is seen there, not guessed. All of it is rolled back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import errors, sql

from codegen import catalog, changes, differ, generate, shadow, static, workflow_rows
from codegen.catalog import Catalog, Difference, Key
from codegen.ddl import PHASES
from codegen.desired import Desired, Rename, ours
from codegen.differ import Facts
from codegen.refusal import RefusedError
from codegen.steps import Hazard, Step


@dataclass(frozen=True)
class Plan:
    """What a deploy would do."""

    database: str
    """Which database it was made for."""
    live: str
    """Fingerprint of the schemas as they were."""
    wanted: str
    """Fingerprint of what was generated."""
    differences: tuple[str, ...]
    steps: tuple[Step, ...]
    reverse: tuple[Step, ...] | None
    irreversible: str | None
    """Why there is no way back, if there is none."""
    hazards: tuple[Hazard, ...]
    """Those that count, with the rows there are now."""
    blocked: tuple[str, ...]
    """What no flag opens: rows that the wanted schema refuses."""
    strangers: tuple[str, ...]
    """What somebody else made in the schemas, and is left alone."""
    ends: tuple[tuple[Key, tuple[str | None, ...]], ...] = ()
    """For each thing that changes: what it was, as PostgreSQL may put it. How the way back is verified."""

    @property
    def id(self) -> str:
        """SHA-256 of what would be done, where, and to what."""
        digest = hashlib.sha256("\0".join((self.database, self.live, self.wanted)).encode())
        for step in self.steps:
            digest.update("\0".join((step.when, *step.statements)).encode())
        for hazard in self.hazards:
            digest.update(hazard.flag.encode())
        return digest.hexdigest()

    def __bool__(self) -> bool:
        return bool(self.steps)


@dataclass(frozen=True)
class Target:
    """Catalogs that a plan leads from and to, for whoever carries it out."""

    live: Catalog
    wanted: Catalog
    second: Catalog
    """The wanted one in PostgreSQL's second words: what it makes of its own."""

    def left(self, now: Catalog, *, but: Collection[Key] = ()) -> list[Difference]:
        """What is not as wanted; things in `but` are still to come, or not looked at."""
        return [one for one in catalog.differences(now, self.wanted) if one.key not in but and not _is(self.second, now, one.key)]


def plan(
    connection: psycopg.Connection[Any], desired: Desired | None = None, *, allowed: Collection[str] = (), locked: bool = False
) -> Plan:
    """The plan for a database. Changes nothing."""
    return made(connection, desired, allowed=allowed, locked=locked)[0]


def made(
    connection: psycopg.Connection[Any], desired: Desired | None = None, *, allowed: Collection[str] = (), locked: bool = False
) -> tuple[Plan, Target]:
    """The plan, and the catalogs that it leads from and to. `locked`: the caller holds the deploy lock."""
    with connection.transaction(force_rollback=True):
        if not locked:
            shadow.lock(connection)
        connection.execute("SET LOCAL client_min_messages = warning")
        return _made(connection, desired or ours(), allowed)


def differences(connection: psycopg.Connection[Any], desired: Desired | None = None) -> list[str]:
    """Everything in which the database differs from the models, strangers' things as well, for people."""
    with connection.transaction(force_rollback=True):
        shadow.lock(connection)
        found = plan(connection, desired, locked=True)
        return [*found.differences, *(f"unexpected {stranger}" for stranger in found.strangers)]


def _made(connection: psycopg.Connection[Any], desired: Desired, allowed: Collection[str]) -> tuple[Plan, Target]:
    present = shadow.existing(connection, desired.schemas)
    everything = catalog.read(connection, desired.schemas)
    wanted = shadow.wanted(connection, desired)
    strangers = catalog.strangers(everything, wanted)
    given_up = {thing.key for thing in strangers if f"drop-stranger:{thing.name}" in set(allowed)}
    theirs = [thing for thing in strangers if given_up.isdisjoint({thing.key, *catalog.wholes(thing)})]
    missing = [schema for schema in desired.schemas if schema not in present]
    live = _with_missing(everything.without(thing.key for thing in theirs), wanted, missing)

    listed = [f"missing    schema {schema}, with everything in it" for schema in missing]
    same: frozenset[Key] = frozenset()
    steps: list[Step] = []
    reverse: list[Step] | None = []
    irreversible = None
    start, second = live, wanted
    if catalog.differences(live, wanted):
        start, second, steps, reverse, irreversible, same = _rehearsed(connection, desired, live, wanted, missing)
        unequal = [one for one in catalog.differences(live, wanted) if one.key not in same]
        listed += [str(one) for one in catalog.notable(unequal, live, wanted)]
    fresh = _fresh_schemas(desired, missing)
    if missing:
        reverse, irreversible = None, f"schema {' and '.join(missing)} was not there before"
    rows: list[Step] = []
    static_steps: list[Step] = []
    if desired.is_ours:
        rows_listed, rows, rows_back = workflow_rows.steps(connection, anew="app" in missing)
        listed += [] if "app" in missing else rows_listed
        reverse = None if reverse is None else reverse + rows_back
        static_steps = static.steps(connection, anew="app" in missing)
        listed += [] if "app" in missing else [f"different  {step.title}" for step in static_steps]
    _refuse_uprooting(steps, live, everything, theirs)
    steps = _arranged(fresh, steps, rows, static_steps)
    facts = _facts(connection, desired, live)
    hazards = tuple(hazard for step in steps for hazard in step.hazards if hazard.table is None or facts.has_rows(hazard.table))
    target = Target(live, wanted, second)
    touched = {one.key for one in catalog.differences(everything, wanted)}
    return (
        Plan(
            database=database(connection),
            live=catalog.fingerprint(everything),
            wanted=_fingerprint(desired),
            differences=tuple(listed),
            steps=tuple(steps),
            reverse=None if reverse is None else tuple(_not_restored(reverse, hazards)),
            irreversible=irreversible,
            hazards=tuple(dict.fromkeys(hazards)),
            blocked=tuple(_blocked_as_renamed(connection, steps, _due(desired.renames, live), live)),
            strangers=tuple(_named(theirs)),
            ends=tuple(sorted((key, _ends(key, everything, start, target)) for key in touched)),
        ),
        target,
    )


# --- renames, rehearsal -----------------------------------------------------------------------------------------------


def _rehearsed(
    connection: psycopg.Connection[Any], desired: Desired, live: Catalog, wanted: Catalog, missing: Sequence[str]
) -> tuple[Catalog, Catalog, list[Step], list[Step] | None, str | None, frozenset[Key]]:
    """Steps proven on a copy: both ends in PostgreSQL's second words; the steps; the way back, or why there is none; what is the same."""
    renames = _due(desired.renames, live)
    made_here = _fresh_schemas(desired, missing)
    with shadow.aside(connection, desired.schemas):
        _copy(connection, live, missing, made_here)
        start = _with_broken_indexes(catalog.read(connection, desired.schemas), live)
        _refuse_unknown(live, start)
        renamed = _rename_steps(renames)
        shadow.run(connection, renamed)
        after_renames = _with_broken_indexes(catalog.read(connection, desired.schemas), live) if renamed else start
    second = shadow.reparsed(connection, wanted, desired.schemas) if not missing else wanted
    same = _the_same(after_renames, wanted, second)
    facts = _facts(connection, desired, live)
    goal = _as_live(wanted, after_renames, same)
    steps = [*renamed, *differ.between(after_renames, goal, facts)]
    reverse: list[Step] | None
    irreversible: str | None = None
    beginning = _with_mended_indexes(after_renames, live, goal)
    try:
        back = Facts(lambda table: ("table", table) in live and facts.has_rows(table), facts.hot)
        there_and_back = _rename_steps([_reversed(rename) for rename in reversed(renames)])
        reverse = [*_as_callers_know(differ.between(goal, beginning, back)), *there_and_back]
    except RefusedError as error:
        reverse, irreversible = None, f"{error.where}: {error.why}"
    with shadow.aside(connection, desired.schemas):
        _copy(connection, _with_labels(live, goal, renames), missing, made_here)
        steps = _run(connection, steps)
        ended = catalog.read(connection, desired.schemas)
        left = [one for one in catalog.differences(ended, goal) if not _is(second, ended, one.key)]
        if left:
            raise RefusedError(
                "plan", f"its steps would not end where they should:\n{catalog.listed(left)}", "nothing was changed; a defect of codegen"
            )
        adds_labels = reverse is not None and any(step.when == "labels" for step in reverse)
        if reverse is not None and not adds_labels:
            reverse, irreversible = _way_back(connection, desired, reverse, live, start, wanted, same)
    if reverse is not None and adds_labels:
        with shadow.aside(connection, desired.schemas):
            _copy(connection, _with_labels(ended, beginning, ()), (), ())
            reverse, irreversible = _way_back(connection, desired, reverse, live, start, wanted, same)
    return start, second, steps, reverse, irreversible, same


def _way_back(
    connection: psycopg.Connection[Any],
    desired: Desired,
    reverse: list[Step],
    live: Catalog,
    start: Catalog,
    wanted: Catalog,
    same: frozenset[Key],
) -> tuple[list[Step] | None, str | None]:
    """The way back, run on a copy that has arrived; or why it does not lead back."""
    try:
        rehearsed = _run(connection, reverse)
    except RefusedError as error:
        return None, error.why
    back_again = catalog.differences(_with_broken_indexes(catalog.read(connection, desired.schemas), live), start)
    second_start = [one for one in back_again if not _was(one, live, start, wanted, same)]
    if second_start:
        return None, "it would not lead back:\n" + catalog.listed(second_start)
    return rehearsed, None


def _with_labels(live: Catalog, goal: Catalog, renames: Iterable[Rename]) -> Catalog:
    """Enums with their new labels already: a deploy commits these before anything uses them, which no rehearsal can."""
    former = {(rename.of, rename.new): rename.old for rename in renames if rename.kind == "label"}
    grown = dict(live.things)
    for thing in live.of_kind("type"):
        after = goal.get(thing.key)
        if after is None or not thing.detail["enum"] or not after.detail["enum"]:
            continue
        labels = [former.get((thing.name, label), label) for label in after.detail["labels"] or []]
        if changes.labels_added(thing.detail["labels"] or [], labels):
            grown[thing.key] = replace(thing, detail={**thing.detail, "labels": labels})
    return Catalog(grown, live.needs, live.elsewhere)


def _with_mended_indexes(start: Catalog, live: Catalog, goal: Catalog) -> Catalog:
    """No way leads back to an index that was never built to its end."""
    broken = {thing.key for thing in live.of_kind("index") if not thing.detail["valid"] and thing.key in start and thing.key in goal}
    return Catalog({key: goal[key] if key in broken else thing for key, thing in start.things.items()}, start.needs, start.elsewhere)


def _as_callers_know(reverse: Iterable[Step]) -> list[Step]:
    """The way back gives callers the functions that they knew before."""
    return [replace(step, hazards=tuple(one for one in step.hazards if one.name != "public-interface")) for step in reverse]


def _is(second: Catalog, now: Catalog, key: Key) -> bool:
    """Whether a thing is as wanted, in other words."""
    return key in now and now.get(key) == second.get(key)


def _was(one: Difference, live: Catalog, start: Catalog, wanted: Catalog, same: frozenset[Key]) -> bool:
    """Whether a thing is as it was, in one of the ways in which PostgreSQL puts it."""
    words = {thing.definition if thing else None for thing in (live.get(one.key), start.get(one.key))}
    if one.key in same:
        words.add(wanted[one.key].definition)
    return one.live in words


def _copy(connection: psycopg.Connection[Any], live: Catalog, missing: Sequence[str], fresh: Iterable[Step]) -> None:
    """The live schemas without rows; those that are missing are made as deploy makes them."""
    there = live.without(key for key, thing in live.things.items() if _schema(thing.key, thing) in missing)
    shadow.copy(connection, there)
    shadow.run(connection, fresh)


def _run(connection: psycopg.Connection[Any], steps: Iterable[Step]) -> list[Step]:
    """Run steps in the rehearsal; each comes back with the rewrites that it was seen to do."""
    result = []
    for step in steps:
        before = _filenodes(connection, step.tables) if step.lock == "ACCESS EXCLUSIVE" else {}
        try:
            shadow.run(connection, [step])
        except errors.CannotCoerce as error:
            raise RefusedError(
                step.title, str(error).strip().splitlines()[0], "add a column of the new type, move the values, then drop the old one"
            ) from error
        except psycopg.Error as error:
            raise RefusedError("plan", f"a step fails on a copy of the database: {step.title}: {error}", "nothing was changed") from error
        rewritten = [
            table
            for table, node in _filenodes(connection, before).items()
            if before[table] is not None and node not in (None, before[table])
        ]
        found = tuple(
            Hazard("table-rewrite", table, "every row is written anew while nobody may read or write", table) for table in rewritten
        )
        result.append(replace(step, hazards=(*step.hazards, *found)))
    return result


def _filenodes(connection: psycopg.Connection[Any], tables: Iterable[str]) -> dict[str, int | None]:
    rows = connection.execute(
        "SELECT t, pg_catalog.pg_relation_filenode(pg_catalog.to_regclass(t)) FROM unnest(%s::text[]) AS t", [list(tables)]
    )
    return dict(rows.fetchall())


def _with_broken_indexes(copied: Catalog, live: Catalog) -> Catalog:
    """An index that was never built to its end cannot be copied: the copy is whole."""
    broken = {thing.key: thing for thing in live.of_kind("index") if not thing.detail["valid"] and thing.key in copied}
    return Catalog({**copied.things, **broken}, copied.needs)


def _refuse_unknown(live: Catalog, copied: Catalog) -> None:
    """What the differ cannot make it must not be trusted to change."""
    lost = [one for one in catalog.differences(live, copied) if one.wanted is None]
    if lost:
        raise RefusedError(
            "plan",
            f"the database has what a plan cannot make again:\n{catalog.listed(lost)}",
            "drop these by hand, or put them in another schema",
        )


def _the_same(live: Catalog, wanted: Catalog, second: Catalog) -> frozenset[Key]:
    """Things whose expressions PostgreSQL would put alike, had it read both from its own words."""
    return frozenset(
        one.key
        for one in catalog.differences(live, wanted)
        if one.live is not None and one.wanted is not None and live.get(one.key) == second.get(one.key)
    )


def _as_live(wanted: Catalog, live: Catalog, same: frozenset[Key]) -> Catalog:
    """The wanted catalog in the live one's words, where both mean the same."""
    return Catalog({key: live[key] if key in same else thing for key, thing in wanted.things.items()}, wanted.needs)


def _due(renames: Iterable[Rename], live: Catalog) -> list[Rename]:
    """The renames that have not happened yet: the old name is there, and the new one is not."""
    due: list[Rename] = []
    tables: dict[str, str] = {}
    for rename in renames:
        if rename.kind == "table":
            old = f"{rename.of.partition('.')[0]}.{rename.old}"
            if ("table", old) in live and ("table", rename.of) not in live:
                due.append(rename)
                tables[rename.of] = old
        elif rename.kind == "column":
            table = tables.get(rename.of, rename.of)
            if ("column", f"{table}.{rename.old}") in live and ("column", f"{table}.{rename.new}") not in live:
                due.append(rename)
        else:
            enum = live.get(("type", rename.of))
            labels = enum.detail["labels"] if enum else []
            if rename.old in labels and rename.new not in labels:
                due.append(rename)
    return due


def _reversed(rename: Rename) -> Rename:
    if rename.kind == "table":
        return Rename("table", f"{rename.of.partition('.')[0]}.{rename.old}", rename.new, rename.old)
    return Rename(rename.kind, rename.of, rename.new, rename.old)


def _rename_steps(renames: Iterable[Rename]) -> list[Step]:
    result = []
    for rename in renames:
        schema = rename.of.partition(".")[0]
        if rename.kind == "table":
            old = f"{schema}.{rename.old}"
            statement = changes.statement("ALTER TABLE {} RENAME TO {};", old, rename.new)
            result.append(Step(f"rename table {old} to {rename.new}", (statement,), tables=(old,), lock="ACCESS EXCLUSIVE"))
        elif rename.kind == "column":
            statement = changes.statement("ALTER TABLE {} RENAME COLUMN {} TO {};", rename.of, rename.old, rename.new)
            title = f"rename column {rename.of}.{rename.old} to {rename.new}"
            result.append(Step(title, (statement,), tables=(rename.of,), lock="ACCESS EXCLUSIVE"))
        else:
            statement = changes.statement(
                "ALTER TYPE {} RENAME VALUE {} TO {};", rename.of, changes.quoted(rename.old), changes.quoted(rename.new)
            )
            result.append(Step(f"rename label {rename.old} of {rename.of} to {rename.new}", (statement,)))
    return result


# --- the rest ---------------------------------------------------------------------------------------------------------


def _with_missing(live: Catalog, wanted: Catalog, missing: Sequence[str]) -> Catalog:
    """The live catalog as if the missing schemas were there: statements make them whole, and not the differ."""
    if not missing:
        return live
    added = {key: thing for key, thing in wanted.things.items() if _schema(key, thing) in missing}
    needs = {**live.needs, **{key: wanted.needs[key] for key in added}}
    return Catalog({**live.things, **added}, needs)


def _schema(key: Key, thing: catalog.Thing) -> str:
    """The schema that a thing is in."""
    if key[0] == "schema":
        return key[1]
    where = catalog.table_of(thing) or str(thing.detail.get("of") or key[1])
    return where.partition(".")[0]


def _fresh_schemas(desired: Desired, missing: Sequence[str]) -> list[Step]:
    """Schemas that are not there, by the statements that anybody may read in db/."""
    chosen = [one for one in desired.statements if one.schema in missing]
    schemas = [Step(f"schema {one.name}", (one.sql,), as_owner=False) for one in chosen if one.kind == "schema"]
    by_phase = [
        Step(
            f"{phase} of {schema}", tuple(one.sql for one in chosen if one.phase == phase and one.schema == schema and one.kind != "schema")
        )
        for phase in PHASES
        for schema in missing
    ]
    return [*schemas, *(step for step in by_phase if step.statements)]


def _arranged(fresh: list[Step], steps: list[Step], rows: list[Step], static_steps: list[Step]) -> list[Step]:
    """New schemas before what changes, workflow rows and static SQL at the end of it."""
    before = [step for step in steps if step.when in ("labels", "expand")]
    change = [step for step in steps if step.when == "change"]
    after = [step for step in steps if step.when in ("contract", "afterwards")]
    return [*before, *fresh, *change, *rows, *static_steps, *after]


def _facts(connection: psycopg.Connection[Any], desired: Desired, live: Catalog) -> Facts:
    """What is to be known of the rows, by the names after renames."""
    former = {rename.of: f"{rename.of.partition('.')[0]}.{rename.old}" for rename in _due(desired.renames, live) if rename.kind == "table"}
    known: dict[str, bool] = {}

    def has(table: str) -> bool:
        there = former.get(table, table)
        if there not in known:
            known[there] = has_rows(connection, there)
        return known[there]

    return Facts(has, desired.hot)


def has_rows(connection: psycopg.Connection[Any], table: str) -> bool:
    """Whether a table is there and has a row."""
    row = connection.execute("SELECT pg_catalog.to_regclass(%s) IS NOT NULL", [table]).fetchone()
    if not (row and row[0]):
        return False
    row = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.SQL(table))).fetchone()
    return bool(row and row[0])


def _refuse_uprooting(steps: Iterable[Step], live: Catalog, everything: Catalog, theirs: Iterable[catalog.Thing]) -> None:
    """Refuse to take away what somebody else's things lean on: that would need CASCADE."""
    uprooted = {key for step in steps if step.uproots for key in step.keys if key in live}
    found = {
        f"{thing.kind} {thing.name} leans on {kind} {named}"
        for thing in theirs
        for kind, named in everything.needs[thing.key] & uprooted
        if (kind, named) not in {other.key for other in theirs}
    }
    found |= {f"{other} leans on {kind} {named}" for kind, named in uprooted for other in everything.elsewhere.get((kind, named), ())}
    if found:
        raise RefusedError(
            "plan",
            "somebody else's things lean on what would be dropped or made again:\n" + "\n".join(f"  {line}" for line in sorted(found)),
            "drop them, or have them look elsewhere, deploy, and make them again",
        )


def _blocked_as_renamed(connection: psycopg.Connection[Any], steps: Sequence[Step], renames: Sequence[Rename], live: Catalog) -> list[str]:
    """Rows that would make a step fail, where steps know tables and columns by names that these do not have yet."""
    if not renames:
        return blocked(connection, steps)
    tables = {f"{one.of.partition('.')[0]}.{one.old}": one.of for one in renames if one.kind == "table"}
    columns = {(one.of, one.old): one.new for one in renames if one.kind == "column"}
    schemas = [thing.name for thing in live.of_kind("schema")]
    with shadow.aside(connection, schemas):
        for schema in schemas:
            connection.execute(changes.statement("CREATE SCHEMA {};", schema).encode())
        for table in live.of_kind("table"):
            schema, _, bare = table.name.partition(".")
            now = tables.get(table.name, table.name)
            each = [one.detail["column"] for one in live.of_kind("column") if one.detail["table"] == table.name]
            shown = ", ".join(changes.statement("{} AS {}", column, columns.get((now, column), column)) for column in each)
            view = changes.statement("CREATE VIEW {} AS SELECT {} FROM {}.{};", now, shown, shadow.ASIDE.format(schema), bare)
            connection.execute(view.encode())
        return blocked(connection, steps)


def blocked(connection: psycopg.Connection[Any], steps: Iterable[Step]) -> list[str]:
    """Rows that would make a step fail."""
    found: list[str] = []
    for step in steps:
        if step.refused_rows is None:
            continue
        try:
            with connection.transaction(force_rollback=True):
                found += [f"{step.title}: {row[0]}" for row in connection.execute(step.refused_rows.encode())]
        except errors.DataError as error:
            found.append(f"{step.title}: {str(error).splitlines()[0]}")
        except (errors.UndefinedColumn, errors.UndefinedTable, errors.UndefinedObject, errors.UndefinedFunction, errors.DatatypeMismatch):
            continue  # of what this plan makes first: a column, whose default was chosen with the constraint, a type, a function
    return found


def _not_restored(reverse: list[Step], hazards: Collection[Hazard]) -> list[Step]:
    """What a deploy drops with its values, the way back makes again without them."""
    lost = {hazard.object: hazard for hazard in hazards if hazard.name == "data-loss"}
    result = []
    for step in reverse:
        objects = [name for kind, name in step.keys if kind in ("table", "column") and name in lost]
        found = tuple(Hazard("not-restored", name, "its values went with the deploy that is taken back") for name in objects)
        result.append(replace(step, hazards=(*step.hazards, *found)))
    return result


def _ends(key: Key, live: Catalog, start: Catalog, target: Target) -> tuple[str | None, ...]:
    sides = [live.get(key), start.get(key)]
    if any(one is not None and one.kind == "index" and not one.detail["valid"] for one in sides):
        sides.append(target.wanted.get(key))  # what was broken stays mended
    return tuple(dict.fromkeys(thing.definition if thing else None for thing in sides))


def _named(theirs: Iterable[catalog.Thing]) -> list[str]:
    return [f"{thing.kind} {thing.name}, of {thing.detail['owner']}" for thing in theirs if "owner" in thing.detail]


def database(connection: psycopg.Connection[Any]) -> str:
    """The cluster and the database."""
    row = connection.execute(
        "SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) || ' ' || pg_catalog.current_database()"
    ).fetchone()
    return str(row[0]) if row else ""


def _fingerprint(desired: Desired) -> str:
    if desired.is_ours:
        return generate.fingerprint()
    digest = hashlib.sha256()
    for statement in desired.statements:
        digest.update(statement.sql.encode() + b"\0")
    return digest.hexdigest()
