"""From one catalog to another: the steps, in an order that works, with the locks they take and what may hurt.

Steps come from the catalogs alone, so that the way back is the same work with the sides exchanged. What PostgreSQL refuses
to change while others lean on it is taken away first and made again afterwards; CASCADE is never used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from codegen import changes
from codegen.catalog import OWNERS, Catalog, Key, Thing, table_of, wholes
from codegen.ddl import OWNER
from codegen.refusal import RefusedError
from codegen.steps import WHEN, Hazard, Step, When

ASIDE = "__new"
"""Ends the name of an index that is built to take another's place."""

# Made in this order; dropped in the other.
_ORDER = (
    "type",
    "sequence",
    "table",
    "column",
    "storage",
    "check",
    "key",
    "index",
    "function",
    "view",
    "rule",
    "trigger",
    "row security",
    "policy",
    "comment",
)
_ATTACHED = frozenset({"trigger", "policy", "rule", "view", "check", "key", "index", "comment", "row security", "storage"})

_REFERENCE = re.compile(r"FOREIGN KEY \((?P<own>[^)]*)\) REFERENCES (?P<table>[^(]*)\((?P<theirs>[^)]*)\)")

_LATE = frozenset({"check", "key", "index", "trigger"})
"""What a table of the claim path loses in a transaction of its own."""

_LOCKS = {
    "index": "SHARE",
    "trigger": "SHARE ROW EXCLUSIVE",
    "comment": "SHARE UPDATE EXCLUSIVE",
    "storage": "SHARE UPDATE EXCLUSIVE",
    "function": "",
    "type": "",
    "sequence": "",
    "workflow": "",
}


@dataclass(frozen=True)
class Facts:
    """What a plan has to know of the data."""

    has_rows: Callable[[str], bool]
    """Whether a table, by its name after renames, has a row."""
    hot: frozenset[str] = frozenset()
    """Tables of the claim path."""


@dataclass
class _Work:
    """What is to be done, before it is put in order."""

    live: Catalog
    wanted: Catalog
    facts: Facts
    again: set[Key] = field(default_factory=set)
    """Dropped before and made again after, because of what they lean on or because they cannot be altered."""
    retyped: set[Key] = field(default_factory=set)
    renamed: dict[Key, Key] = field(default_factory=dict)
    """Old key to new key, of things that are the same but for the name."""
    steps: list[Step] = field(default_factory=list)

    def gone(self, key: Key) -> bool:
        return key in self.live and key not in self.wanted and key not in self.renamed

    def fresh(self, key: Key) -> bool:
        return key in self.wanted and key not in self.live and key not in self.renamed.values()

    def changed(self, key: Key) -> bool:
        return key in self.live and key in self.wanted and self.live[key] != self.wanted[key]

    def is_new_table(self, table: str | None) -> bool:
        return table is not None and not any((kind, table) in self.live for kind in ("table", "view"))

    def has_rows(self, table: str) -> bool:
        return not self.is_new_table(table) and self.facts.has_rows(table)


def between(live: Catalog, wanted: Catalog, facts: Facts) -> list[Step]:
    """The steps that make `wanted` of `live`; [] if they are the same."""
    work = _Work(live, wanted, facts)
    _pair_renames(work)
    _find_what_is_made_again(work)
    for key in sorted(work.renamed):
        _rename(work, live[key], wanted[work.renamed[key]])
    _drop_early(work)
    _types(work)
    _make(work)
    _drop_late(work)
    _lend_create(work)
    _afterwards(work)
    return _in_order(work)


def everything(catalog: Catalog) -> list[Step]:
    """The steps that make a copy of a catalog's things in empty schemas."""
    schemas = {thing.key: thing for thing in catalog.of_kind("schema")}
    return between(Catalog(schemas, {key: frozenset() for key in schemas}), catalog, Facts(lambda _: False))


# --- what has to be made again ----------------------------------------------------------------------------------------


def _pair_renames(work: _Work) -> None:
    """A constraint or an index that is there under another name is renamed: the same end, and no work."""
    spare: dict[tuple[str, str, str], list[Thing]] = {}
    for thing in work.live.things.values():
        if thing.kind in ("check", "key", "index") and thing.key not in work.wanted and thing.detail["valid"]:
            spare.setdefault(_nameless(thing), []).append(thing)
    for thing in work.wanted.things.values():
        if thing.kind in ("check", "key", "index") and thing.key not in work.live and spare.get(_nameless(thing)):
            work.renamed[spare[_nameless(thing)].pop(0).key] = thing.key


def _nameless(thing: Thing) -> tuple[str, str, str]:
    it = thing.detail
    body = f"{it['unique']} {it['body']}" if thing.kind == "index" else it["definition"]
    return (thing.kind, it["table"], body)


def _find_what_is_made_again(work: _Work) -> None:
    live, wanted = work.live, work.wanted
    for key in live.things:
        if not work.changed(key):
            continue
        before, after = live[key], wanted[key]
        if before.kind == "column":
            if _is_made_anew(before, after):
                work.again.add(key)
            elif before.detail["type"] != after.detail["type"]:
                work.retyped.add(key)
        elif _cannot_be_altered(before, after):
            work.again.add(key)
    leaning = live.needed_by()
    queue = [*work.again, *work.retyped, *(key for key in live.things if work.gone(key))]
    while queue:
        key = queue.pop()
        for other in leaning.get(key, ()):
            found = _consequence(work, key, other)
            if found is not None and other not in found:
                found.add(other)
                queue.append(other)


def _consequence(work: _Work, key: Key, other: Key) -> set[Key] | None:
    """What becomes of a thing that leans on one that is changed hard: made again, retyped, or nothing."""
    if other not in work.wanted or other in work.again or other in work.renamed:
        return None
    kind, other_kind = key[0], other[0]
    enum_goes = kind == "type" and key in work.again
    if other_kind == "column":
        if enum_goes:
            return work.retyped
        generated = work.live[other].detail["generated"] is not None
        return work.again if generated and kind in ("column", "function") and key in (work.again | work.retyped) else None
    if key in work.again or work.gone(key):
        return None if other_kind == "table" else work.again
    # A column of another type: PostgreSQL rebuilds indexes and constraints by itself, unless they name an enum's old labels.
    if other_kind in ("trigger", "policy", "rule", "view", "function"):
        return work.again
    if other_kind in ("check", "index", "key") and work.live[key].detail["bare"] == work.wanted[key].detail["bare"] and key in work.retyped:
        return work.again if _by_new_enum(work, key) and _has_expression(work.live[other]) else None
    if other_kind in ("check", "index") and key in work.retyped and work.live[key].detail["bare"] != work.wanted[key].detail["bare"]:
        return work.again if _has_expression(work.live[other]) else None
    return None


def _by_new_enum(work: _Work, key: Key) -> bool:
    return ("type", work.live[key].detail["bare"]) in work.again


def _has_expression(thing: Thing) -> bool:
    """Whether its text may hold constants of the old type."""
    return thing.kind == "check" or (thing.kind == "index" and (" WHERE " in thing.detail["body"] or "((" in thing.detail["body"]))


def _is_made_anew(before: Thing, after: Thing) -> bool:
    """PostgreSQL 15 cannot alter the expression of a generated column, nor make a plain one generated."""
    old, new = before.detail["generated"], after.detail["generated"]
    return new is not None and (old != new or before.detail["type"] != after.detail["type"])


def _cannot_be_altered(before: Thing, after: Thing) -> bool:
    match before.kind:
        case "check" | "key":
            # What has been looked at cannot be unseen: only a way back leads from valid to not.
            unseen = before.detail["valid"] and not after.detail["valid"]
            return bool(before.detail["definition"] != after.detail["definition"] or unseen)
        case "index" | "policy" | "rule" | "view":
            return True
        case "type":
            labels = changes.labels_added(before.detail["labels"] or [], after.detail["labels"] or [])
            return labels is None or before.detail["enum"] != after.detail["enum"]
        case "function":
            return bool(before.detail["interface"] != after.detail["interface"] or before.detail["prokind"] != after.detail["prokind"])
    return False


# --- steps ------------------------------------------------------------------------------------------------------------


def _add(
    work: _Work,
    title: str,
    statements: Iterable[str],
    *things: Thing,
    when: When = "change",
    lock: str | None = None,
    hazards: tuple[Hazard, ...] = (),
    refused_rows: str | None = None,
    sides: tuple[Catalog, ...] = (),
    uproots: bool = False,
) -> None:
    """A step over some things, if it has anything to run. A new table is nobody else's to wait for."""
    made = tuple(statements)
    if not made:
        return
    kind = things[0].kind
    tables = () if kind == "comment" or kind.startswith("grant on ") else tuple(sorted({table for table in map(table_of, things) if table}))
    if all(work.is_new_table(table) for table in tables):
        tables = ()
    taken = (_LOCKS.get(kind, "ACCESS EXCLUSIVE") if lock is None else lock) if tables else ""
    keys = frozenset(thing.key for thing in things)
    as_owner = all(_owner_in(catalog, things[0]) in (None, *OWNERS) for catalog in sides or (work.live, work.wanted))
    work.steps.append(Step(title, made, when, keys, tables, taken, hazards, as_owner, refused_rows, uproots))


def _owner_in(catalog: Catalog, thing: Thing) -> str | None:
    """Who owns a thing, or what it is part of, in a catalog. A schema is the deployer's to change."""
    if thing.kind in ("schema", "grant on schema"):
        return "whoever deploys"
    for key in (thing.key, *wholes(thing)):
        if key in catalog and "owner" in catalog[key].detail:
            return str(catalog[key].detail["owner"])
    return None


def _rename(work: _Work, live: Thing, wanted: Thing) -> None:
    _add(work, f"rename {live.kind} {live.name} to {wanted.detail['name']}", [changes.rename(live, wanted)], live, wanted)


def _drop_early(work: _Work) -> None:
    """What is made again, and what hangs on tables and goes: those that lean on others first."""
    chosen = {key for key in work.again if key in work.live and key[0] != "type"}
    chosen |= {
        key
        for key in work.live.things
        if work.gone(key) and (key[0] in _ATTACHED or key[0].startswith("grant on ") or _is_generated(work, key))
    }
    leaning = work.live.needed_by()
    for key in _leaning_first(chosen, work.live):
        thing = work.live[key]
        if _goes_by_itself(work, thing) or (thing.kind in ("index", "key") and _is_exchanged(work, thing)):
            continue
        late = work.gone(key) and thing.kind in _LATE and _goes_late(work, key, leaning)
        title = f"drop {thing.kind} {thing.name}" + ("" if work.gone(key) else ", to be made again")
        _add(
            work,
            _revoked(thing) if thing.kind.startswith("grant on ") else title,
            changes.drop(thing),
            thing,
            *_parts(work, thing),
            lock="" if thing.kind == "function" else "ACCESS EXCLUSIVE",
            hazards=_hazards_of_drop(work, thing),
            when="contract" if late else "change",
            sides=(work.live,),
            uproots=True,
        )


def _is_generated(work: _Work, key: Key) -> bool:
    return key[0] == "column" and work.live[key].detail["generated"] is not None


def _goes_by_itself(work: _Work, thing: Thing) -> bool:
    """Parts of a thing that is dropped go with it; but keys to other tables would be in each other's way."""
    if thing.kind == "comment" or thing.kind.startswith("grant on "):
        whole = (thing.detail["class"], thing.detail["of"])
        wholes = {whole, ("view", whole[1])} if whole[0] == "table" else {whole}
        if whole[0] == "column":
            wholes |= {("table", whole[1].rpartition(".")[0])}
        return any(work.gone(key) or key in work.again for key in wholes)
    table = table_of(thing)
    table_goes = any(work.gone((kind, str(table))) for kind in ("table", "view")) and thing.kind not in ("table", "view")
    return table_goes and not (thing.kind == "key" and thing.detail["type"] == "f")


def _drop_late(work: _Work) -> None:
    """Columns, tables, functions, types: when nothing that stays leans on them any more."""
    chosen = {key for key in work.live.things if work.gone(key) and key[0] in ("column", "table", "function", "sequence", "type")}
    leaning = work.live.needed_by()
    for key in _leaning_first(chosen, work.live):
        thing = work.live[key]
        if _goes_by_itself(work, thing) or (thing.kind == "column" and thing.detail["generated"] is not None):
            continue
        _add(
            work,
            f"drop {thing.kind} {thing.name}",
            changes.drop(thing),
            thing,
            *_parts(work, thing),
            hazards=_hazards_of_drop(work, thing),
            sides=(work.live,),
            when="contract" if _goes_late(work, key, leaning) else "change",
            uproots=True,
        )
    for key in sorted(work.again):
        if key[0] == "type":
            _add(
                work,
                f"drop the old type {key[1]}",
                [changes.statement("DROP TYPE {};", _aside(key[1]))],
                work.live[key],
                sides=(work.live,),
                uproots=True,
            )


def _goes_late(work: _Work, key: Key, leaning: Mapping[Key, set[Key]]) -> bool:
    """Whether a thing, or something that leans on it and goes as well, is taken from a table of the claim path."""
    thing = work.live[key]
    stays_until_then = not _is_generated(work, key) and not _is_in_the_way(work, thing)
    if thing.kind in ("column", *_LATE) and _when(work, thing, "contract") == "contract" and stays_until_then:
        return True
    places = [key, *(part.key for part in _parts(work, thing) if part.kind in ("column", "key"))]
    others = {other for place in places for other in leaning.get(place, ()) if other not in places and table_of(work.live[other]) != key[1]}
    return any(work.gone(other) and other[0] in (*_LATE, "column") and _goes_late(work, other, leaning) for other in others)


def _is_in_the_way(work: _Work, thing: Thing) -> bool:
    """Whether a check, a key, an index or a trigger must be gone before a column that it is about gets another type."""
    return thing.kind in _LATE and not work.live.needs[thing.key].isdisjoint(work.retyped | work.again)


def _parts(work: _Work, thing: Thing) -> list[Thing]:
    """What goes with a thing, or is made again after it."""
    if thing.kind not in ("table", "view", "column", "function", "type", "sequence"):
        return []
    return [other for other in work.live.things.values() if thing.key in wholes(other)]


def _hazards_of_drop(work: _Work, thing: Thing) -> tuple[Hazard, ...]:
    if thing.kind == "table":
        loss = Hazard("data-loss", thing.name, "the table's rows are gone", thing.name)
        return (loss,) if _is_ours(thing) else (loss, _stranger(thing))
    if thing.kind == "column" and thing.detail["generated"] is None:
        return (Hazard("data-loss", thing.name, "the column's values are gone", thing.detail["table"]),)
    if thing.kind == "column" and work.changed(thing.key) and work.wanted[thing.key].detail["generated"] is not None:
        return ()
    if thing.kind == "function" and thing.detail["public"] and thing.key in work.live and not _same_interface(work, thing):
        why = "others may call it: a new shape gets a new name, and the old one stays for one release"
        public = Hazard("public-interface", thing.name, why)
        return (public,) if _is_ours(thing) or thing.key in work.wanted else (public, _stranger(thing))
    if not _is_ours(thing) and thing.key not in work.wanted:
        return (_stranger(thing),)
    return ()


def _same_interface(work: _Work, thing: Thing) -> bool:
    other = work.wanted.get(thing.key)
    return other is not None and other.detail["interface"] == thing.detail["interface"]


def _stranger(thing: Thing) -> Hazard:
    return Hazard("drop-stranger", thing.name, f"{thing.detail['owner']} owns it, and geomill did not make it")


def _is_ours(thing: Thing) -> bool:
    owner = thing.detail.get("owner")
    return owner is None or owner in OWNERS


def _aside(type_name: str) -> str:
    return type_name + "__old"


def _lend_create(work: _Work) -> None:
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


def _types(work: _Work) -> None:
    for schema in work.wanted.of_kind("schema"):
        if work.changed(schema.key):
            _add(work, f"change the owner of schema {schema.name}", changes.alter(work.live[schema.key], schema), schema)
    for key in [key for key in sorted(work.wanted.things) if key[0] == "type"]:
        wanted = work.wanted[key]
        if work.fresh(key):
            _add(
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
            statements = changes.replace_enum(live, wanted, columns, _aside(wanted.name).rpartition(".")[2])
            loss = "" if not removed else f" without {', '.join(removed)}"
            _add(
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
                _add(
                    work, f"add label {label} to type {wanted.name}", [changes.add_label(wanted.name, label, before)], wanted, when="labels"
                )
            _add(work, f"change type {wanted.name}", changes.alter(live, wanted), wanted)


def _is_needed_early(work: _Work, key: Key) -> bool:
    """Whether a column of the claim path is to be of a type, before the one transaction."""
    return any(
        key in needs and column[0] == "column" and _when(work, work.wanted[column], "expand") == "expand"
        for column, needs in work.wanted.needs.items()
        if column in work.wanted
    )


def _rows_that_do_not_cast(work: _Work, live: Thing, thing: Thing) -> str:
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


def _make(work: _Work) -> None:
    """What is new, made again or altered, in the order of its kinds and of what leans on what."""
    chosen = {
        key
        for key in work.wanted.things
        if work.fresh(key) or key in work.again or work.changed(key) or key in work.retyped or _regranted(work, key)
    }
    chosen = {key for key in chosen if key[0] not in ("type", "schema")}
    for key in _needed_first(chosen, work.wanted):
        thing = work.wanted[key]
        if thing.kind == "column":
            _make_column(work, thing)
        elif thing.kind in ("check", "key", "index"):
            _make_constraint(work, thing)
        elif work.fresh(key) or key in work.again or _regranted(work, key):
            _make_thing(work, thing)
        else:
            live = work.live[key]
            title = _granted(thing) if thing.kind.startswith("grant on ") else f"change {thing.kind} {thing.name}"
            when = (
                _when(work, thing, "expand")
                if thing.kind == "storage"
                else _when(work, thing, "contract")
                if thing.kind == "trigger"
                else "change"
            )
            _add(work, title, changes.alter(live, thing), thing, when=when)


def _regranted(work: _Work, key: Key) -> bool:
    """Rights and comments of what is made again are made again, though they are as they were; rights also where the owner changes,
    for the old owner's become the new one's."""
    thing = work.wanted[key]
    if key not in work.live or not (thing.kind == "comment" or thing.kind.startswith("grant on ")):
        return False
    if thing.kind != "comment" and any(_changes_owner(work, whole) for whole in wholes(thing)):
        return True
    return not work.changed(key) and _goes_by_itself(work, thing)


def _changes_owner(work: _Work, key: Key) -> bool:
    return work.changed(key) and work.live[key].detail.get("owner") != work.wanted[key].detail.get("owner")


def _make_thing(work: _Work, thing: Thing) -> None:
    when = (
        _when(work, thing, "expand") if thing.kind == "storage" else _when(work, thing, "contract") if thing.kind == "trigger" else "change"
    )
    if thing.kind.startswith("grant on "):
        anew = not any(_changes_owner(work, whole) for whole in wholes(thing))
        _add(work, _granted(thing), changes.grant(thing, anew=anew), thing, sides=(work.wanted,))
        return
    statements = changes.create(thing, work.wanted)
    things = [thing]
    if thing.kind == "table":
        things += changes.parts(thing, work.wanted)
    if thing.kind == "function":
        statements = [*statements, changes.revoke_public(thing)]
    verb = "comment" if thing.kind == "comment" else f"create {thing.kind}"
    _add(
        work,
        f"{verb} {'on ' if thing.kind == 'comment' else ''}{thing.name}",
        statements,
        *things,
        when=when,
        sides=(work.wanted,),
    )


def _make_column(work: _Work, thing: Thing) -> None:
    table, live = thing.detail["table"], work.live.get(thing.key)
    if work.is_new_table(table):
        return
    it = thing.detail
    if live is None or thing.key in work.again:
        if it["not_null"] and it["default"] is None and it["generated"] is None and not it["identity"] and work.has_rows(table):
            raise RefusedError(
                f"column {thing.name}",
                "it is required, has no default, and its table has rows",
                "give the field a default, or write its type as `X | None` and fill it before it is made required",
            )
        calls = any(kind == "function" for kind, _ in work.wanted.needs[thing.key])
        when = "change" if calls else _when(work, thing, "expand")
        _add(work, f"add column {thing.name} {it['type']}", changes.create(thing, work.wanted), thing, when=when)
        return
    before = live.detail
    if thing.key in work.retyped and ("type", it["bare"].removesuffix("[]")) in work.again and before["bare"] == it["bare"]:
        pass  # cast with its enum, default and all
    elif before["type"] != it["type"]:
        narrower = Hazard("data-loss", thing.name, f"values of {before['type']} may not survive as {it['type']}", table)
        hazards = () if _is_lossless(before["type"], it["type"]) else (narrower,)
        others = {*work.again, *(key for key in work.live.things if work.gone(key) and _is_in_the_way(work, work.live[key]))}
        alone = not any(table_of(work.live[key]) == table for key in others if key in work.live)
        when = _when(work, thing, "expand") if alone else "change"
        _add(
            work,
            f"change the type of {thing.name} from {before['type']} to {it['type']}",
            changes.retype(live, thing),
            thing,
            hazards=hazards,
            when=when,
            refused_rows=_rows_that_do_not_cast(work, live, thing) if hazards else None,
            uproots=True,
        )
    elif before["generated"] is not None and it["generated"] is None:
        default = [] if it["default"] is None else [changes.alter_column(thing, "SET DEFAULT {}", it["default"])]
        _add(work, f"keep the values of {thing.name}, generated no more", [changes.alter_column(thing, "DROP EXPRESSION"), *default], thing)
    elif before["default"] != it["default"]:
        action = (
            changes.alter_column(thing, "DROP DEFAULT")
            if it["default"] is None
            else changes.alter_column(thing, "SET DEFAULT {}", it["default"])
        )
        _add(work, f"change the default of {thing.name}", [action], thing, when=_when(work, thing, "expand"))
    if before["not_null"] and not it["not_null"]:
        statements = [*changes.identity(live, thing), changes.alter_column(thing, "DROP NOT NULL")]
        _add(work, f"let {thing.name} be NULL", statements, thing, when=_when(work, thing, "expand"))
        return
    if it["not_null"] and not before["not_null"]:
        if work.has_rows(table):
            return  # afterwards, beside running work
        _add(work, f"require {thing.name}", [changes.alter_column(thing, "SET NOT NULL")], thing)
    statements = changes.identity(live, thing)
    _add(work, f"change how {thing.name} numbers rows", statements, thing)


def _make_constraint(work: _Work, thing: Thing) -> None:
    table = thing.detail["table"]
    live = work.live.get(thing.key)
    if live is not None and thing.key not in work.again:
        return  # valid or not: afterwards
    if work.is_new_table(table) and thing.detail.get("type") != "f":
        return  # with its table
    if _is_built_afterwards(work, thing):
        return
    if thing.kind == "check" or (thing.kind == "key" and thing.detail["type"] == "f"):
        valid = thing.detail["valid"] and not work.has_rows(table)
        others = _referenced(thing)
        waits = others or _needs_fresh_function(work, thing) or not work.wanted.needs[thing.key].isdisjoint(work.retyped | work.again)
        when = _when(work, thing, "expand") if live is None and not waits else "change"
        _add(
            work,
            f"add {thing.kind} {thing.name}" + ("" if valid else ", rows unseen"),
            [changes.add_constraint(thing, valid=valid)],
            thing,
            when=when,
        )
        if others:
            work.steps[-1] = replace(work.steps[-1], tables=tuple(sorted({table, *others})), lock="SHARE ROW EXCLUSIVE")
        return
    hazards = (
        (Hazard("long-lock", table, f"{thing.kind} {thing.name} is built while nobody may write", table),) if work.has_rows(table) else ()
    )
    _add(work, f"create {thing.kind} {thing.name}", changes.create(thing, work.wanted), thing, hazards=hazards)


def _needs_fresh_function(work: _Work, thing: Thing) -> bool:
    return any(kind == "function" or work.fresh((kind, name)) for kind, name in work.wanted.needs[thing.key])


def _referenced(thing: Thing) -> set[str]:
    if thing.kind != "key" or thing.detail["type"] != "f":
        return set()
    return {thing.detail["definition"].partition(" REFERENCES ")[2].partition("(")[0]}


def _is_built_afterwards(work: _Work, thing: Thing) -> bool:
    """Whether an index, or a key by its index, is built CONCURRENTLY."""
    if not work.has_rows(thing.detail["table"]):
        return False
    if thing.key in work.again and not _is_exchanged(work, thing):
        return False
    if thing.kind == "index":
        return True
    if thing.kind == "key" and thing.detail["type"] == "f":
        needs = [work.wanted[need] for need in work.wanted.needs[thing.key] if need[0] in ("key", "index")]
        return any((work.fresh(one.key) or one.key in work.again) and _is_built_afterwards(work, one) for one in needs)
    return thing.kind == "key" and thing.detail["type"] in ("p", "u")


def _is_exchanged(work: _Work, thing: Thing) -> bool:
    """Whether an index or a key of a table with rows is there in another shape, so that the new one is built before the old one goes."""
    if not work.changed(thing.key) or not work.has_rows(thing.detail["table"]):
        return False
    if thing.kind == "key" and thing.detail["type"] not in ("p", "u"):
        return False
    leaning = {key for key, needs in work.live.needs.items() if thing.key in needs and key[0] in ("key", "view", "function")}
    columns_stay = not any(work.gone(need) or need in work.again or need in work.retyped for need in work.live.needs[thing.key])
    return not leaning and columns_stay and work.wanted[thing.key].detail.get("type") == work.live[thing.key].detail.get("type")


def _afterwards(work: _Work) -> None:
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
        if _is_built_afterwards(work, thing):
            _build(work, thing)
    for thing in sorted(work.wanted.things.values(), key=lambda one: one.key):
        if thing.kind in ("check", "key") and _is_validated(work, thing):
            others = _referenced(thing)
            _add(
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


def _is_validated(work: _Work, thing: Thing) -> bool:
    if not thing.detail["valid"] or thing.detail.get("type") not in ("c", "f") or thing.key in work.renamed.values():
        return False
    if thing.key in work.live and thing.key not in work.again:
        return not work.live[thing.key].detail["valid"]
    return work.has_rows(thing.detail["table"])


def _require(work: _Work, live: Thing, thing: Thing) -> None:
    """NOT NULL without a long lock: by a check that is validated beside running work, and goes again."""
    table, column = thing.detail["table"], thing.detail["column"]
    check = '"' + column.strip('"')[:50] + '__not_null"'
    nulls = changes.statement(
        "SELECT count(*) || ' rows where {c} is NULL' FROM {t} WHERE {c} IS NULL HAVING count(*) > 0", c=column, t=table
    )
    added = changes.statement("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID;", table, check, column)
    validated = changes.statement("ALTER TABLE {} VALIDATE CONSTRAINT {};", table, check)
    required = [changes.alter_column(thing, "SET NOT NULL"), changes.statement("ALTER TABLE {} DROP CONSTRAINT {};", table, check)]
    _add(work, f"require {thing.name}, rows unseen", [added], thing, when="afterwards", refused_rows=nulls)
    _add(work, f"look at the rows of {table} for {thing.name}", [validated], thing, when="afterwards", lock="SHARE UPDATE EXCLUSIVE")
    _add(work, f"require {thing.name}", [*required, *changes.identity(live, thing)], thing, when="afterwards")


def _build(work: _Work, thing: Thing) -> None:
    it = thing.detail
    schema = it["table"].partition(".")[0]
    exchanged = thing.key in work.again
    temporary = '"' + it["name"].strip('"')[: 63 - len(ASIDE)] + ASIDE + '"' if exchanged else it["name"]
    left_over = changes.drop_index_concurrently(schema, temporary)
    if thing.kind == "key" and it["type"] == "f":
        _add(
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
    _add(
        work,
        f"build {thing.kind} {thing.name} beside running work",
        [left_over, built],
        thing,
        when="afterwards",
        lock="SHARE UPDATE EXCLUSIVE",
        refused_rows=_duplicates(thing),
    )
    _add(work, f"put {thing.kind} {thing.name} in its place", steps, thing, when="afterwards", lock="ACCESS EXCLUSIVE")


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


def _rows_against(work: _Work, thing: Thing) -> str | None:
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


def _rows_to_be(work: _Work, table: str) -> str:
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


def _rows_without_reference(work: _Work, thing: Thing) -> str | None:
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


# --- order ------------------------------------------------------------------------------------------------------------


def _when(work: _Work, thing: Thing, wanted: When) -> When:
    """A table of the claim path is altered in a transaction of its own, unless its types are made anew in the same plan."""
    table = table_of(thing)
    apart = table in work.facts.hot and not work.is_new_table(table) and not any(key[0] == "type" for key in work.again)
    return wanted if apart else "change"


def _in_order(work: _Work) -> list[Step]:
    """By time; within the claim path's times, by table, so that each is locked once."""
    result: list[Step] = []
    for when in WHEN:
        chosen = [step for step in work.steps if step.when == when]
        apart = when in ("expand", "contract")
        result += sorted(chosen, key=lambda step: _place(work, step, when)) if apart else chosen
    return _joined(result)


def _place(work: _Work, step: Step, when: When) -> tuple[int, tuple[str, ...]]:
    """What is no hot table's own comes before these lean on it, and goes when none does any more; references go before all."""
    if not step.tables or not work.facts.hot.issuperset(step.tables):
        return (0 if when == "expand" else 2, ())
    refers = any(key in work.live and work.live[key].detail.get("type") == "f" for key in step.keys if key[0] == "key")
    return (0 if refers and when == "contract" else 1, step.tables)


def _joined(steps: list[Step]) -> list[Step]:
    """Comments on one table, and rights on one thing, as one step."""
    result: list[Step] = []
    for step in steps:
        last = result[-1] if result else None
        title, what = step.title, _joins(step)
        if (
            last is not None
            and what is not None
            and what == _joins(last)
            and (last.when, last.as_owner, last.hazards) == (step.when, step.as_owner, ())
        ):
            many = (
                f"comment on {what[1]}" if what[0] == "comment" else last.title if last.title.endswith(title) else f"{last.title}; {title}"
            )
            result[-1] = replace(last, title=many, statements=last.statements + step.statements, keys=last.keys | step.keys)
        else:
            result.append(step)
    return result


def _joins(step: Step) -> tuple[str, str] | None:
    kinds = {kind for kind, _ in step.keys}
    names = sorted(name for _, name in step.keys)
    if kinds == {"comment"}:
        whole = {name.partition(" ")[2].rpartition(".")[0] if name.startswith("column ") else name.partition(" ")[2] for name in names}
        return ("comment", whole.pop()) if len(whole) == 1 else None
    if len(kinds) == 1 and (kind := next(iter(kinds))).startswith("grant on "):
        whole = {name.rpartition(" to ")[0] for name in names}
        return (kind, whole.pop()) if len(whole) == 1 else None
    return None


def _granted(thing: Thing) -> str:
    return f"grant {thing.definition} on {thing.detail['class']} {thing.detail['of']} to {thing.detail['role']}"


def _revoked(thing: Thing) -> str:
    return f"revoke {thing.definition} on {thing.detail['class']} {thing.detail['of']} from {thing.detail['role']}"


def _rank(key: Key) -> int:
    return _ORDER.index(key[0]) if key[0] in _ORDER else len(_ORDER)


def _needed_first(keys: set[Key], catalog: Catalog) -> list[Key]:
    """By kind, then by name, but nothing before what it needs."""
    result: list[Key] = []
    seen: set[Key] = set()
    # A table is made with its columns, checks and indexes, and so needs the functions that these call.
    called: dict[Key, set[Key]] = {}
    for key in keys:
        if key[0] in ("column", "check", "index"):
            functions = {need for need in catalog.needs.get(key, ()) if need[0] == "function"}
            called.setdefault(("table", str(catalog[key].detail["table"])), set()).update(functions)

    def visit(key: Key) -> None:
        if key in seen:
            return
        seen.add(key)
        for need in sorted({*catalog.needs.get(key, ()), *called.get(key, ())}):
            if need in keys and (_rank(need) <= _rank(key) or need[0] == "function"):
                visit(need)
        result.append(key)

    for key in sorted(keys, key=lambda one: (_rank(one), one[1].partition(" ")[2] if one[0] == "comment" else one[1])):
        visit(key)
    return result


def _leaning_first(keys: set[Key], catalog: Catalog) -> list[Key]:
    """The other way round: what leans on others goes before them."""
    return list(reversed(_needed_first(keys, catalog)))


# --- types ------------------------------------------------------------------------------------------------------------

_WIDER: Mapping[str, frozenset[str]] = {
    "smallint": frozenset({"integer", "bigint", "numeric", "real", "double precision"}),
    "integer": frozenset({"bigint", "numeric", "double precision"}),
    "bigint": frozenset({"numeric"}),
    "real": frozenset({"double precision"}),
    "date": frozenset({"timestamp with time zone"}),
    "uuid": frozenset({"text"}),
    "boolean": frozenset({"text"}),
}


def _is_lossless(before: str, after: str) -> bool:
    """Whether each value of one type is one of the other."""
    if before.endswith("[]") and after.endswith("[]"):
        return _is_lossless(before.removesuffix("[]"), after.removesuffix("[]"))
    if after == "text" or after in _WIDER.get(before, ()):
        return True
    old, old_length = _with_length(before)
    new, new_length = _with_length(after)
    if old == new == "character varying":
        return new_length is None or (old_length is not None and old_length[0] <= new_length[0])
    if old == new == "numeric" and old_length and new_length:
        return new_length[1] >= old_length[1] and new_length[0] - new_length[1] >= old_length[0] - old_length[1]
    return old == new and new_length is None


def _with_length(type_name: str) -> tuple[str, tuple[int, ...] | None]:
    name, bracket, rest = type_name.partition("(")
    if not bracket:
        return (name, None)
    numbers = rest.partition(")")[0].split(",")
    return (name, tuple(int(number) for number in numbers)) if all(number.strip().isdigit() for number in numbers) else (type_name, None)
