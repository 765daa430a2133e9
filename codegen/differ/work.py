"""What is to be done, as it is found: both sides, what is made again, what only changes its name, and the steps so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from codegen.catalog import OWNERS, Catalog, Key, Thing, table_of, wholes
from codegen.steps import Hazard, Step, When

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
ATTACHED = frozenset({"trigger", "policy", "rule", "view", "check", "key", "index", "comment", "row security", "storage"})

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
class Work:
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


def add(
    work: Work,
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


def is_generated(work: Work, key: Key) -> bool:
    """Whether a column that is there is computed from others."""
    return key[0] == "column" and work.live[key].detail["generated"] is not None


def parts(work: Work, thing: Thing) -> list[Thing]:
    """What goes with a thing, or is made again after it."""
    if thing.kind not in ("table", "view", "column", "function", "type", "sequence"):
        return []
    return [other for other in work.live.things.values() if thing.key in wholes(other)]


def stranger(thing: Thing) -> Hazard:
    """What it means to drop what somebody else made."""
    return Hazard("drop-stranger", thing.name, f"{thing.detail['owner']} owns it, and geomill did not make it")


def is_ours(thing: Thing) -> bool:
    """Whether one of our roles owns it."""
    owner = thing.detail.get("owner")
    return owner is None or owner in OWNERS


def time_of(work: Work, thing: Thing, wanted: When) -> When:
    """A table of the claim path is altered in a transaction of its own, unless its types are made anew in the same plan."""
    table = table_of(thing)
    apart = table in work.facts.hot and not work.is_new_table(table) and not any(key[0] == "type" for key in work.again)
    return wanted if apart else "change"


def granted(thing: Thing) -> str:
    """The title of a step that gives rights."""
    return f"grant {thing.definition} on {thing.detail['class']} {thing.detail['of']} to {thing.detail['role']}"


def revoked(thing: Thing) -> str:
    """The title of a step that takes rights away."""
    return f"revoke {thing.definition} on {thing.detail['class']} {thing.detail['of']} from {thing.detail['role']}"


def _rank(key: Key) -> int:
    return _ORDER.index(key[0]) if key[0] in _ORDER else len(_ORDER)


def needed_first(keys: set[Key], catalog: Catalog) -> list[Key]:
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


def leaning_first(keys: set[Key], catalog: Catalog) -> list[Key]:
    """The other way round: what leans on others goes before them."""
    return list(reversed(needed_first(keys, catalog)))
