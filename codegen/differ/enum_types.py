"""Types: labels that are added, and enums that are made anew with their columns cast to them."""

from __future__ import annotations

from codegen import changes
from codegen.catalog import OWNERS, Key, Thing
from codegen.ddl import OWNER
from codegen.differ.work import Work, add, time_of
from codegen.steps import Step


def aside(type_name: str) -> str:
    """The name of an enum while its columns are cast to the one that takes its place."""
    return type_name + "__old"


def lend_create(work: Work) -> None:
    """Who is to own a function must be allowed to create in its schema at that moment, and at no other."""
    lent: dict[str, str] = {}
    for step in work.steps:
        for kind, named in step.keys:
            if kind == "function" and (kind, named) in work.wanted and work.wanted[kind, named].detail["owner"] in OWNERS - {OWNER}:
                lent[named.partition(".")[0]] = work.wanted[kind, named].detail["owner"]
    for schema, owner in lent.items():
        it = {"schema": schema, "owner": owner}
        grant, revoke = "GRANT CREATE ON SCHEMA {schema} TO {owner};", "REVOKE CREATE ON SCHEMA {schema} FROM {owner};"
        work.steps.insert(0, Step(f"let {owner} own functions in {schema}", (changes.statement(grant, **it),)))
        work.steps.append(Step(f"and create nothing else there ({schema}, {owner})", (changes.statement(revoke, **it),)))


def types(work: Work) -> None:
    """Schemas' owners, and types: made, given labels, or exchanged for another of the same name."""
    for schema in work.wanted.of_kind("schema"):
        if work.changed(schema.key):
            add(work, f"change the owner of schema {schema.name}", changes.alter(work.live[schema.key], schema), schema)
    for key in [key for key in sorted(work.wanted.things) if key[0] == "type"]:
        wanted = work.wanted[key]
        if work.fresh(key):
            add(
                work,
                f"create type {wanted.name}",
                [*changes.create(wanted, work.wanted), changes.revoke_public(wanted)],
                wanted,
                when="expand" if _is_needed_early(work, key) else "change",
                sides=(work.wanted,),
            )
            continue
        live = work.live[key]
        if key in work.again:
            columns = [
                (work.live[column], work.wanted[column])
                for column in sorted(work.retyped)
                if work.live[column].detail["bare"].removesuffix("[]")
                == wanted.name
                == work.wanted[column].detail["bare"].removesuffix("[]")
            ]
            removed = sorted(set(live.detail["labels"] or []) - set(wanted.detail["labels"] or []))
            statements = changes.replace_enum(live, wanted, columns, aside(wanted.name).rpartition(".")[2])
            loss = "" if not removed else f" without {', '.join(removed)}"
            add(
                work,
                f"make type {wanted.name} anew{loss}",
                [*statements, changes.revoke_public(wanted)],
                wanted,
                *(after for _, after in columns),
                lock="ACCESS EXCLUSIVE",
                refused_rows=_rows_with_labels([before for before, _ in columns], removed),
            )
        elif work.changed(key):
            for label, before in changes.labels_added(live.detail["labels"], wanted.detail["labels"]) or []:
                add(
                    work, f"add label {label} to type {wanted.name}", [changes.add_label(wanted.name, label, before)], wanted, when="labels"
                )
            add(work, f"change type {wanted.name}", changes.alter(live, wanted), wanted)


def _is_needed_early(work: Work, key: Key) -> bool:
    """Whether a column of the claim path is to be of a type, before the one transaction."""
    return any(
        key in needs and column[0] == "column" and time_of(work, work.wanted[column], "expand") == "expand"
        for column, needs in work.wanted.needs.items()
        if column in work.wanted
    )


def rows_that_do_not_cast(work: Work, live: Thing, thing: Thing) -> str:
    """A query for values that no enum's label stands for; else one that fails where a value has no counterpart."""
    it = thing.detail
    enum = work.wanted.get(("type", it["bare"]))
    if enum is None:
        lost = "SELECT 'values become NULL' FROM {t} WHERE {c} IS NOT NULL AND {cast} IS NULL LIMIT 1"
        return changes.statement(lost, t=it["table"], c=it["column"], cast=changes.cast(live, thing))
    labels = ", ".join(changes.quoted(label) for label in enum.detail["labels"] or [])
    found = "SELECT {n} || count(*) || ' rows are ' || {c}::text FROM {t} WHERE {c}::text NOT IN ({l}) GROUP BY {c}::text"
    return changes.statement(found, n=changes.quoted(f"{thing.name}: "), c=it["column"], t=it["table"], l=labels)


def _rows_with_labels(columns: list[Thing], labels: list[str]) -> str | None:
    """A query for rows that have a label which goes."""
    if not columns or not labels:
        return None
    listed = ", ".join(changes.quoted(label) for label in labels)
    each = "(SELECT {n} || count(*) || ' rows are ' || {c}::text FROM {t} WHERE {c}::text IN ({l}) GROUP BY {c}::text)"
    return " UNION ALL ".join(
        changes.statement(each, n=changes.quoted(f"{column.name}: "), c=column.detail["column"], t=column.detail["table"], l=listed)
        for column in columns
    )
