"""What is done when all else is committed, beside live work: indexes built, constraints validated, columns required."""

from __future__ import annotations

import re
from dataclasses import replace

from codegen import changes
from codegen.catalog import Thing
from codegen.differ.work import ASIDE, Work, add

_REFERENCE = re.compile(r"FOREIGN KEY \((?P<own>[^)]*)\) REFERENCES (?P<table>[^(]*)\((?P<theirs>[^)]*)\)")


def afterwards(work: Work) -> None:
    """Beside running work: required columns, indexes and keys, then what only has to be looked at."""
    for thing in sorted(work.wanted.of_kind("column"), key=lambda one: one.name):
        live = work.live.get(thing.key)
        if (
            live is None
            or thing.key in work.again
            or not thing.detail["not_null"]
            or live.detail["not_null"]
            or not work.has_rows(thing.detail["table"])
        ):
            continue
        _require(work, live, thing)
    built = [
        thing
        for thing in work.wanted.things.values()
        if thing.kind in ("index", "key") and (work.fresh(thing.key) or thing.key in work.again)
    ]
    for thing in sorted(built, key=lambda one: (one.kind != "key", one.detail.get("type") == "f", one.name)):
        if is_built_afterwards(work, thing):
            _build(work, thing)
    for thing in sorted(work.wanted.things.values(), key=lambda one: one.key):
        if thing.kind in ("check", "key") and _is_validated(work, thing):
            others = referenced(thing)
            add(
                work,
                f"validate {thing.kind} {thing.name}",
                [changes.validate_constraint(thing)],
                thing,
                when="afterwards",
                lock="SHARE UPDATE EXCLUSIVE",
                refused_rows=_rows_against(work, thing),
            )
            if others:
                work.steps[-1] = replace(work.steps[-1], tables=tuple(sorted({thing.detail["table"], *others})))


def _is_validated(work: Work, thing: Thing) -> bool:
    if not thing.detail["valid"] or thing.detail.get("type") not in ("c", "f") or thing.key in work.renamed.values():
        return False
    if thing.key in work.live and thing.key not in work.again:
        return not work.live[thing.key].detail["valid"]
    return work.has_rows(thing.detail["table"])


def _require(work: Work, live: Thing, thing: Thing) -> None:
    """NOT NULL without a long lock: by a check that is validated beside running work, and goes again."""
    table, column = thing.detail["table"], thing.detail["column"]
    check = '"' + column.strip('"')[:50] + '__not_null"'
    nulls = changes.statement(
        "SELECT count(*) || ' rows where {c} is NULL' FROM {t} WHERE {c} IS NULL HAVING count(*) > 0", c=column, t=table
    )
    added = changes.statement("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID;", table, check, column)
    validated = changes.statement("ALTER TABLE {} VALIDATE CONSTRAINT {};", table, check)
    required = [changes.alter_column(thing, "SET NOT NULL"), changes.statement("ALTER TABLE {} DROP CONSTRAINT {};", table, check)]
    add(work, f"require {thing.name}, rows unseen", [added], thing, when="afterwards", refused_rows=nulls)
    add(work, f"look at the rows of {table} for {thing.name}", [validated], thing, when="afterwards", lock="SHARE UPDATE EXCLUSIVE")
    add(work, f"require {thing.name}", [*required, *changes.identity(live, thing)], thing, when="afterwards")


def _build(work: Work, thing: Thing) -> None:
    it = thing.detail
    schema = it["table"].partition(".")[0]
    exchanged = thing.key in work.again
    temporary = '"' + it["name"].strip('"')[: 63 - len(ASIDE)] + ASIDE + '"' if exchanged else it["name"]
    left_over = changes.drop_index_concurrently(schema, temporary)
    if thing.kind == "key" and it["type"] == "f":
        add(
            work,
            f"add key {thing.name}, rows unseen",
            [changes.add_constraint(thing, valid=False)],
            thing,
            when="afterwards",
            lock="SHARE ROW EXCLUSIVE",
        )
        return
    if thing.kind == "index":
        built = changes.create_index(thing, temporary, concurrently=True)
        exchange = [
            changes.statement("DROP INDEX {};", thing.name),
            changes.statement("ALTER INDEX {}.{} RENAME TO {};", schema, temporary, it["name"]),
        ]
        steps = exchange if exchanged else []
    else:
        built, constraint = changes.key_index(thing, temporary)
        steps = [*changes.drop(work.live[thing.key]), constraint] if exchanged else [constraint]
    add(
        work,
        f"build {thing.kind} {thing.name} beside running work",
        [left_over, built],
        thing,
        when="afterwards",
        lock="SHARE UPDATE EXCLUSIVE",
        refused_rows=_duplicates(thing),
    )
    add(work, f"put {thing.kind} {thing.name} in its place", steps, thing, when="afterwards", lock="ACCESS EXCLUSIVE")


def _duplicates(thing: Thing) -> str | None:
    """Values that a unique index would refuse, of an index over plain columns."""
    it = thing.detail
    if thing.kind == "index":
        if not it["unique"] or " WHERE " in it["body"] or "INCLUDE" in it["body"]:
            return None
        columns = it["body"].partition(" (")[2].rpartition(")")[0].replace(" DESC", "")
    else:
        columns = it["definition"].partition("(")[2].partition(")")[0]
    if "(" in columns or not columns:
        return None
    each = [column.strip() for column in columns.split(",")]
    present = " AND ".join(changes.statement("{} IS NOT NULL", column) for column in each)
    return changes.statement(
        "SELECT 'several rows have ({c}) = (' || concat_ws(', ', {c}) || ')' FROM {t} WHERE {p} GROUP BY {c} HAVING count(*) > 1 LIMIT 3",
        c=", ".join(each),
        t=it["table"],
        p=present,
    )


def _rows_against(work: Work, thing: Thing) -> str | None:
    it = thing.detail
    if it["type"] == "f":
        return _rows_without_reference(work, thing)
    condition = it["definition"].removeprefix("CHECK ").removesuffix(" NO INHERIT")
    return changes.statement(
        "SELECT count(*) || ' rows break ' || {n} FROM {t} WHERE NOT {c} HAVING count(*) > 0",
        n=changes.quoted(it["name"]),
        t=_rows_to_be(work, it["table"]),
        c=condition,
    )


def _rows_to_be(work: Work, table: str) -> str:
    """The rows of a table as they will be, once its columns have their new types."""
    columns = [one for one in work.wanted.of_kind("column") if one.detail["table"] == table and one.key in work.live]
    if work.retyped.isdisjoint(one.key for one in columns):
        return table
    each = [
        changes.statement("{} AS {}", changes.cast(work.live[one.key], one), one.detail["column"])
        if one.key in work.retyped
        else str(one.detail["column"])
        for one in columns
    ]
    return changes.statement("(SELECT {} FROM {}) AS rows_to_be", ", ".join(each), table)


def _rows_without_reference(work: Work, thing: Thing) -> str | None:
    it = thing.detail
    matched = _REFERENCE.match(it["definition"])
    if matched is None:
        return None
    own, table, theirs = (matched["own"].split(", "), matched["table"], matched["theirs"].split(", "))
    present = " AND ".join(changes.statement("a.{} IS NOT NULL", column) for column in own)
    equal = " AND ".join(changes.statement("b.{} = a.{}", their, column) for column, their in zip(own, theirs, strict=True))
    # Of a table that this plan makes there is no row yet.
    there = "" if work.is_new_table(table) else changes.statement(" AND NOT EXISTS (SELECT FROM {} AS b WHERE {})", table, equal)
    return changes.statement(
        "SELECT count(*) || ' rows refer to nothing in ' || {n} FROM {t} AS a WHERE {p}{there} HAVING count(*) > 0",
        n=changes.quoted(table),
        t=it["table"],
        p=present,
        there=there,
    )


def referenced(thing: Thing) -> set[str]:
    """The tables of ours that a foreign key refers to."""
    if thing.kind != "key" or thing.detail["type"] != "f":
        return set()
    return {thing.detail["definition"].partition(" REFERENCES ")[2].partition("(")[0]}


def is_built_afterwards(work: Work, thing: Thing) -> bool:
    """Whether an index, or a key by its index, is built CONCURRENTLY."""
    if not work.has_rows(thing.detail["table"]):
        return False
    if thing.key in work.again and not is_exchanged(work, thing):
        return False
    if thing.kind == "index":
        return True
    if thing.kind == "key" and thing.detail["type"] == "f":
        needs = [work.wanted[need] for need in work.wanted.needs[thing.key] if need[0] in ("key", "index")]
        return any((work.fresh(one.key) or one.key in work.again) and is_built_afterwards(work, one) for one in needs)
    return thing.kind == "key" and thing.detail["type"] in ("p", "u")


def is_exchanged(work: Work, thing: Thing) -> bool:
    """Whether an index or a key of a table with rows is there in another shape, so that the new one is built before the old one goes."""
    if not work.changed(thing.key) or not work.has_rows(thing.detail["table"]):
        return False
    if thing.kind == "key" and thing.detail["type"] not in ("p", "u"):
        return False
    leaning = {key for key, needs in work.live.needs.items() if thing.key in needs and key[0] in ("key", "view", "function")}
    columns_stay = not any(work.gone(need) or need in work.again or need in work.retyped for need in work.live.needs[thing.key])
    return not leaning and columns_stay and work.wanted[thing.key].detail.get("type") == work.live[thing.key].detail.get("type")
