"""The SQL that makes, drops or changes one thing of a schema, from what the catalog says of it.

Names and expressions are the catalog's own: quoted where they need it, qualified, read with an empty search_path.
Order, locks and hazards are another module's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from codegen.catalog import Catalog, Thing
from codegen.ddl import OWNER
from codegen.quoting import text
from codegen.refusal import RefusedError

_ENABLED = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_IDENTITY = {"a": "ALWAYS", "d": "BY DEFAULT"}
_KEY = re.compile(r"(PRIMARY KEY|UNIQUE)( NULLS NOT DISTINCT)? (\(.*?\)(?: INCLUDE \(.*?\))?)(.*)")

# What a new thing gives to whom, before anybody says so.
_FULL = {
    "table": {"DELETE", "INSERT", "MAINTAIN", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"},
    "sequence": {"SELECT", "UPDATE", "USAGE"},
    "function": {"EXECUTE"},
    "type": {"USAGE"},
    "schema": {"CREATE", "USAGE"},
    "column": set(),
}


def statement(template: str, *parts: str, **named: str) -> str:
    """A template with SQL put in as it is."""
    composed = sql.SQL(template).format(*map(sql.SQL, parts), **{key: sql.SQL(value) for key, value in named.items()})
    return composed.as_string(None)


def quoted(value: str) -> str:
    """A string literal."""
    return text(value).as_string(None)


def create(thing: Thing, catalog: Catalog) -> list[str]:
    """What makes a thing that is not there. A table comes with its columns, checks, keys and indexes, but without references."""
    it = thing.detail
    match thing.kind:
        case "type":
            return [_create_enum(thing, thing.name), *_owned(thing, "TYPE")]
        case "sequence":
            definition = thing.definition.partition("; owner ")[0]
            return [statement("CREATE SEQUENCE {} {};", thing.name, definition), *_owned(thing, "SEQUENCE")]
        case "table":
            indexes = [create_index(index, index.detail["name"]) for index in parts(thing, catalog) if index.kind == "index"]
            checks = [check for check in parts(thing, catalog) if check.kind == "check"]
            half_done = [add_constraint(check, valid=False) for check in checks if not check.detail["valid"]]
            return [_create_table(thing, catalog), *_owned(thing, "TABLE"), *half_done, *indexes]
        case "view":
            kind = "MATERIALIZED VIEW" if it["relkind"] == "m" else "VIEW"
            return [statement("CREATE {} {} AS\n{}", kind, thing.name, it["query"].strip()), *_owned(thing, kind)]
        case "row security":
            return _row_security(thing.name, enabled=True, forced=it["forced"])
        case "storage":
            return [statement("ALTER TABLE {} SET ({});", thing.name, ", ".join(_option(option) for option in it["options"]))]
        case "column":
            return [statement("ALTER TABLE {} ADD COLUMN {};", it["table"], column(thing))]
        case "check" | "key":
            return [add_constraint(thing, valid=it["valid"])]
        case "index":
            return [create_index(thing, it["name"])]
        case "function":
            if it["prokind"] not in ("f", "p"):
                raise RefusedError(thing.name, "it is an aggregate or a window function", "drop it by hand: geomill makes none")
            return [it["definition"].strip() + ";", *_owned(thing, "FUNCTION" if it["prokind"] == "f" else "PROCEDURE")]
        case "trigger":
            state = [] if it["enabled"] == "O" else [_trigger_state(thing)]
            return [it["definition"].replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1) + ";", *state]
        case "policy":
            return [statement("CREATE POLICY {} ON {} {};", it["name"], it["table"], it["body"])]
        case "rule":
            return [it["definition"]]
        case "comment":
            return [statement("COMMENT ON {} IS {};", it["on"], quoted(thing.definition))]
        case kind if kind.startswith("grant on "):
            return grant(thing)
    raise RefusedError(f"{thing.kind} {thing.name}", "it cannot be made by a plan", "make it by hand")


def drop(thing: Thing) -> list[str]:
    """What takes a thing away. Never CASCADE."""
    it = thing.detail
    match thing.kind:
        case "type":
            return [statement("DROP TYPE {};", thing.name)]
        case "sequence":
            # It may have gone with the column that owned it.
            return [statement("DROP SEQUENCE IF EXISTS {};", thing.name)]
        case "table":
            return [statement("DROP FOREIGN TABLE {};" if it["relkind"] == "f" else "DROP TABLE {};", thing.name)]
        case "view":
            return [statement("DROP MATERIALIZED VIEW {};" if it["relkind"] == "m" else "DROP VIEW {};", thing.name)]
        case "row security":
            return _row_security(thing.name, enabled=False, forced=False)
        case "storage":
            return [statement("ALTER TABLE {} RESET ({});", thing.name, ", ".join(option.partition("=")[0] for option in it["options"]))]
        case "column":
            return [statement("ALTER TABLE {} DROP COLUMN {};", it["table"], it["column"])]
        case "check" | "key":
            return [statement("ALTER TABLE {} DROP CONSTRAINT {};", it["table"], it["name"])]
        case "index":
            return [statement("DROP INDEX {};", thing.name)]
        case "function":
            kind = {"p": "PROCEDURE", "a": "AGGREGATE"}.get(it["prokind"], "FUNCTION")
            return [statement("DROP {} {};", kind, thing.name)]
        case "trigger" | "policy" | "rule":
            return [statement("DROP {} {} ON {};", thing.kind.upper(), it["name"], it["table"])]
        case "comment":
            return [statement("COMMENT ON {} IS NULL;", it["on"])]
        case kind if kind.startswith("grant on "):
            return [_revoke(thing)]
    raise RefusedError(f"{thing.kind} {thing.name}", "it cannot be dropped by a plan", "drop it by hand")


def alter(live: Thing, wanted: Thing) -> list[str]:
    """What changes a thing in place. Columns, enums, checks, keys and indexes are changed otherwise."""
    it = wanted.detail
    match wanted.kind:
        case "table":
            return _alter_table(live, wanted)
        case "schema":
            return [statement("ALTER SCHEMA {} OWNER TO {};", wanted.name, it["owner"])]
        case "sequence":
            definition = wanted.definition.partition("; owner ")[0]
            return [statement("ALTER SEQUENCE {} {};", wanted.name, definition), *_reowned(live, wanted, "SEQUENCE")]
        case "row security":
            return _row_security(wanted.name, enabled=True, forced=it["forced"])
        case "storage":
            return _alter_storage(live, wanted)
        case "function":
            kind = "FUNCTION" if it["prokind"] == "f" else "PROCEDURE"
            replaced = [it["definition"].strip() + ";"] if live.detail["definition"] != it["definition"] else []
            return [*replaced, *_reowned(live, wanted, kind)]
        case "type":
            return _reowned(live, wanted, "TYPE")
        case "trigger":
            replaced = [it["definition"].replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1) + ";"]
            return [
                *(replaced if live.detail["definition"] != it["definition"] else []),
                *([_trigger_state(wanted)] if live.detail["enabled"] != it["enabled"] else []),
            ]
        case "comment":
            return [statement("COMMENT ON {} IS {};", it["on"], quoted(wanted.definition))]
        case kind if kind.startswith("grant on "):
            return [_revoke(live), *grant(wanted, anew=False)]
    raise RefusedError(f"{wanted.kind} {wanted.name}", "it cannot be changed in place", "drop it by hand, and plan again")


def column(thing: Thing, *, default: bool = True, not_null: bool = True) -> str:
    """A column as CREATE TABLE and ADD COLUMN write it."""
    it = thing.detail
    parts = [it["column"], it["type"]]
    if it["generated"] is not None:
        parts.append(statement("GENERATED ALWAYS AS ({}) STORED", it["generated"]))
    elif it["identity"]:
        parts.append(statement("GENERATED {} AS IDENTITY", _IDENTITY[it["identity"]]))
    elif default and it["default"] is not None:
        parts.append(statement("DEFAULT {}", it["default"]))
    if it["not_null"] and not_null:
        parts.append("NOT NULL")
    return " ".join(parts)


def alter_column(thing: Thing, action: str, *parts: str) -> str:
    """ALTER TABLE … ALTER COLUMN … and an action."""
    return statement("ALTER TABLE {} ALTER COLUMN {} " + action + ";", thing.detail["table"], thing.detail["column"], *parts)


def retype(live: Thing, wanted: Thing, *, by_label: bool = False) -> list[str]:
    """Another type, every value cast; the default is out of the way meanwhile. `by_label`: from one enum to its successor."""
    it = wanted.detail
    steps = [alter_column(live, "DROP DEFAULT")] if live.detail["default"] is not None else []
    steps.append(alter_column(wanted, "TYPE {} USING {}", it["type"], cast(live, wanted, by_label=by_label)))
    if it["default"] is not None:
        steps.append(alter_column(wanted, "SET DEFAULT {}", it["default"]))
    return steps


def identity(live: Thing, wanted: Thing) -> list[str]:
    """From one kind of identity to another. A new one goes on after the highest value."""
    before, after = live.detail["identity"], wanted.detail["identity"]
    if before == after:
        return []
    if not after:
        return [alter_column(wanted, "DROP IDENTITY")]
    if before:
        return [alter_column(wanted, "SET GENERATED {}", _IDENTITY[after])]
    table, name = wanted.detail["table"], wanted.detail["column"]
    continued = statement(
        "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence({}, {}), pg_catalog.max({})) FROM {} HAVING pg_catalog.max({}) > 0;",
        quoted(table), quoted(name.strip('"').replace('""', '"')), name, table, name,
    )  # fmt: skip
    return [alter_column(wanted, "ADD GENERATED {} AS IDENTITY", _IDENTITY[after]), continued]


def add_constraint(thing: Thing, *, valid: bool) -> str:
    """A check or a key; without `valid`, rows that are there are looked at later."""
    it = thing.detail
    return statement("ALTER TABLE {} ADD CONSTRAINT {} {}{};", it["table"], it["name"], it["definition"], "" if valid else " NOT VALID")


def validate_constraint(thing: Thing) -> str:
    """Look at the rows that were there before the constraint."""
    return statement("ALTER TABLE {} VALIDATE CONSTRAINT {};", thing.detail["table"], thing.detail["name"])


def create_index(thing: Thing, named: str, *, concurrently: bool = False) -> str:
    """An index, perhaps under another name."""
    it = thing.detail
    return statement(
        "CREATE {}INDEX {}{} {};", "UNIQUE " if it["unique"] else "", "CONCURRENTLY " if concurrently else "", named, it["body"]
    )


def drop_index_concurrently(schema: str, named: str) -> str:
    """What an interrupted build may have left."""
    return statement("DROP INDEX CONCURRENTLY IF EXISTS {}.{};", schema, named)


def key_index(thing: Thing, named: str) -> tuple[str, str]:
    """The unique index that a primary key or a unique constraint may be made from, and the constraint made from it."""
    it = thing.detail
    matched = _KEY.fullmatch(it["definition"])
    if matched is None:
        raise RefusedError(thing.name, f"{it['definition']!r} cannot be made beside its table's work", "make it by hand")
    kind, nulls, columns, rest = matched.groups()
    key_columns, include, included = columns.partition(" INCLUDE ")
    index = statement(
        "CREATE UNIQUE INDEX CONCURRENTLY {} ON {} USING btree {}{};", named, it["table"], key_columns + include + included, nulls or ""
    )
    constraint = statement("ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{};", it["table"], it["name"], kind, named, rest)
    return index, constraint


def rename(live: Thing, wanted: Thing) -> str:
    """The same thing under another name: an index or a constraint."""
    if wanted.kind == "index":
        return statement("ALTER INDEX {} RENAME TO {};", live.name, wanted.detail["name"])
    return statement("ALTER TABLE {} RENAME CONSTRAINT {} TO {};", live.detail["table"], live.detail["name"], wanted.detail["name"])


def labels_added(live: Sequence[str], wanted: Sequence[str]) -> list[tuple[str, str | None]] | None:
    """The new labels of an enum, each with the label that it stands before; None if labels are gone or in another order."""
    kept = [label for label in wanted if label in set(live)]
    if kept != list(live):
        return None
    result: list[tuple[str, str | None]] = []
    for position, label in enumerate(wanted):
        if label not in set(live):
            following = next((later for later in wanted[position + 1 :] if later in set(live)), None)
            result.append((label, following))
    return result


def add_label(type_name: str, label: str, before: str | None) -> str:
    """A new label, in its place."""
    return statement(
        "ALTER TYPE {} ADD VALUE IF NOT EXISTS {}{};", type_name, quoted(label), "" if before is None else " BEFORE " + quoted(before)
    )


def replace_enum(live: Thing, wanted: Thing, columns: Iterable[tuple[Thing, Thing]], aside: str) -> list[str]:
    """An enum that loses labels is made anew, and its columns cast to it by their labels. The old one stays under another name."""
    steps = [statement("ALTER TYPE {} RENAME TO {};", live.name, aside), _create_enum(wanted, wanted.name), *_owned(wanted, "TYPE")]
    for before, after in columns:
        steps += retype(before, after, by_label=True)
    return steps


def _create_enum(thing: Thing, named: str) -> str:
    if not thing.detail["enum"]:
        raise RefusedError(f"type {thing.name}", "it is no enum", "geomill makes enums only: drop it by hand")
    return statement("CREATE TYPE {} AS ENUM ({});", named, ", ".join(quoted(label) for label in thing.detail["labels"] or []))


def parts(table: Thing, catalog: Catalog) -> list[Thing]:
    """What is made with a new table: columns in their order, checks, keys but references, indexes."""
    found = [
        other
        for other in catalog.things.values()
        if other.kind in ("column", "check", "key", "index") and other.detail["table"] == table.name and other.detail.get("type") != "f"
    ]
    order = ("column", "key", "check", "index")
    return sorted(found, key=lambda one: (order.index(one.kind), one.detail.get("position", 0), one.name))


def _create_table(thing: Thing, catalog: Catalog) -> str:
    if thing.detail["relkind"] != "r":
        raise RefusedError(f"table {thing.name}", "it is partitioned or foreign", "geomill makes plain tables only")
    made = parts(thing, catalog)
    lines = [column(one) for one in made if one.kind == "column"]
    constraints = [one for one in made if one.kind in ("key", "check") and one.detail["valid"]]
    lines += [statement("CONSTRAINT {} {}", one.detail["name"], one.detail["definition"]) for one in constraints]
    kind = "UNLOGGED " if thing.detail["unlogged"] else ""
    return statement("CREATE {}TABLE {} (\n    {}\n);", kind, thing.name, ",\n    ".join(lines))


def _alter_table(live: Thing, wanted: Thing) -> list[str]:
    steps = _reowned(live, wanted, "TABLE")
    if live.detail["relkind"] != wanted.detail["relkind"]:
        raise RefusedError(f"table {wanted.name}", "it is partitioned or foreign, or should be", "move its rows by hand")
    if live.detail["unlogged"] != wanted.detail["unlogged"]:
        steps.append(statement("ALTER TABLE {} SET {};", wanted.name, "UNLOGGED" if wanted.detail["unlogged"] else "LOGGED"))
    return steps


def _alter_storage(live: Thing, wanted: Thing) -> list[str]:
    kept = {option.partition("=")[0] for option in wanted.detail["options"]}
    gone = [option.partition("=")[0] for option in live.detail["options"] if option.partition("=")[0] not in kept]
    steps = [statement("ALTER TABLE {} RESET ({});", wanted.name, ", ".join(gone))] if gone else []
    new = [_option(option) for option in wanted.detail["options"] if option not in live.detail["options"]]
    return steps + ([statement("ALTER TABLE {} SET ({});", wanted.name, ", ".join(new))] if new else [])


def _option(option: str) -> str:
    key, _, value = option.partition("=")
    return statement("{} = {}", key, quoted(value))


def _row_security(table: str, *, enabled: bool, forced: bool) -> list[str]:
    return [
        statement("ALTER TABLE {} {} ROW LEVEL SECURITY;", table, "ENABLE" if enabled else "DISABLE"),
        statement("ALTER TABLE {} {} ROW LEVEL SECURITY;", table, "FORCE" if forced else "NO FORCE"),
    ]


def _trigger_state(thing: Thing) -> str:
    it = thing.detail
    return statement("ALTER TABLE {} {} TRIGGER {};", it["table"], _ENABLED[it["enabled"]], it["name"])


def _owned(thing: Thing, kind: str) -> list[str]:
    """Steps run as the owner: what is another's is handed over."""
    owner = thing.detail["owner"]
    return [] if owner == OWNER else [statement("ALTER {} {} OWNER TO {};", kind, thing.name, owner)]


def _reowned(live: Thing, wanted: Thing, kind: str) -> list[str]:
    if live.detail["owner"] == wanted.detail["owner"]:
        return []
    return [statement("ALTER {} {} OWNER TO {};", kind, wanted.name, wanted.detail["owner"])]


def cast(live: Thing, wanted: Thing, *, by_label: bool = False) -> str:
    """The old value as the new type. Enums go by their labels: no cast leads from one to another."""
    before, after = live.detail, wanted.detail
    through_text = by_label or (before["bare"] != after["bare"] and (_is_named(before["bare"]) or _is_named(after["bare"])))
    text_type = "text[]" if after["bare"].endswith("[]") else "text"
    plain = after["type"].partition(" COLLATE ")[0]
    if through_text:
        return statement("{}::{}::{}", after["column"], text_type, plain)
    return statement("{}::{}", after["column"], plain)


def _is_named(type_name: str) -> bool:
    """Whether a type is one of a schema of ours, and so an enum."""
    return "." in type_name


def grant(thing: Thing, *, anew: bool = True) -> list[str]:
    """Rights of one role on one thing. `anew`: the thing has been made just now, and its owner has every right."""
    it = thing.detail
    granted = set(it["plain"] or []) | set(it["grantable"] or [])
    if it["is_owner"] and anew and granted >= _FULL[it["class"]] - {"MAINTAIN"}:
        return []
    steps = [_revoke(thing)] if it["is_owner"] and anew else []
    for privileges, option in ((it["plain"], ""), (it["grantable"], " WITH GRANT OPTION")):
        if privileges:
            what = (
                [statement("{} ({})", privilege, _column_name(it["of"])) for privilege in privileges]
                if it["class"] == "column"
                else privileges
            )
            steps.append(statement("GRANT {} ON {} TO {}{};", ", ".join(what), _granted_on(it), it["role"], option))
    return steps


def _revoke(thing: Thing) -> str:
    it = thing.detail
    what = statement("ALL ({})", _column_name(it["of"])) if it["class"] == "column" else "ALL"
    return statement("REVOKE {} ON {} FROM {};", what, _granted_on(it), it["role"])


def revoke_public(thing: Thing) -> str:
    """What PUBLIC may do with a new function or type, unless told otherwise."""
    return statement("REVOKE ALL ON {} {} FROM PUBLIC;", thing.kind.upper(), thing.name)


def _granted_on(it: Any) -> str:
    if it["class"] == "column":
        return statement("TABLE {}", it["of"].rpartition(".")[0])
    return statement("{} {}", it["class"].upper(), it["of"])


def _column_name(qualified: str) -> str:
    return qualified.rpartition(".")[2]
