"""What is really there: schemas as the catalog shows them, what leans on what, and how two readings differ.

Both sides of a comparison are read by one query from one server, so no expression is ever compared as text from two origins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

_QUERY = Path(__file__).with_name("catalog.sql").read_text()

# Who needs whom. What is part of a thing stands for it: a default for its column, a rule for its view, an index for its key,
# a row type for its table.
_DEPENDENCIES = """
    SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid
      FROM (
            SELECT coalesce(v.class, d.classid) AS classid, coalesce(v.oid, d.objid) AS objid,
                   coalesce(v.sub, d.objsubid) AS objsubid, coalesce(w.class, d.refclassid) AS refclassid,
                   coalesce(w.oid, d.refobjid) AS refobjid, coalesce(w.sub, d.refobjsubid) AS refobjsubid
              FROM pg_catalog.pg_depend AS d
              LEFT JOIN LATERAL (
                    SELECT 'pg_class'::regclass::oid AS class, a.adrelid AS oid, a.adnum::integer AS sub
                      FROM pg_catalog.pg_attrdef AS a WHERE d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
                    UNION ALL
                    SELECT 'pg_class'::regclass, r.ev_class, 0
                      FROM pg_catalog.pg_rewrite AS r
                     WHERE d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN'
                    UNION ALL
                    SELECT 'pg_constraint'::regclass, c.oid, 0
                      FROM pg_catalog.pg_constraint AS c
                     WHERE d.classid = 'pg_class'::regclass AND c.conindid = d.objid AND c.contype IN ('p', 'u', 'x')
                   ) AS v ON true
              LEFT JOIN LATERAL (
                    SELECT 'pg_class'::regclass::oid AS class, t.typrelid AS oid, 0 AS sub
                      FROM pg_catalog.pg_type AS t
                     WHERE d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid AND t.typtype = 'c' AND t.typrelid <> 0
                    UNION ALL
                    SELECT 'pg_type'::regclass, t.typelem, 0
                      FROM pg_catalog.pg_type AS t
                     WHERE d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid AND t.typcategory = 'A' AND t.typelem <> 0
                    UNION ALL
                    SELECT 'pg_constraint'::regclass, c.oid, 0
                      FROM pg_catalog.pg_constraint AS c
                     WHERE d.refclassid = 'pg_class'::regclass AND c.conindid = d.refobjid AND c.contype IN ('p', 'u', 'x')
                   ) AS w ON true
             WHERE d.deptype IN ('n', 'a', 'i') AND d.objid >= 16384 AND d.refobjid >= 16384
           ) AS d
     WHERE (d.classid, d.objid, d.objsubid) <> (d.refclassid, d.refobjid, d.refobjsubid)
"""

# Of some places in the catalog, those that are in other schemas.
_ELSEWHERE = """
    SELECT p.class, p.oid, p.sub, pg_catalog.pg_describe_object(p.class, p.oid, p.sub)
      FROM (SELECT (place ->> 0)::oid AS class, (place ->> 1)::oid AS oid, (place ->> 2)::integer AS sub
              FROM jsonb_array_elements(to_jsonb(%(places)s::bigint[])) AS place) AS p
     CROSS JOIN LATERAL (
            SELECT coalesce(
                (SELECT c.relnamespace FROM pg_catalog.pg_class AS c WHERE p.class = 'pg_class'::regclass AND c.oid = p.oid),
                (SELECT c.connamespace FROM pg_catalog.pg_constraint AS c WHERE p.class = 'pg_constraint'::regclass AND c.oid = p.oid),
                (SELECT f.pronamespace FROM pg_catalog.pg_proc AS f WHERE p.class = 'pg_proc'::regclass AND f.oid = p.oid),
                (SELECT t.typnamespace FROM pg_catalog.pg_type AS t WHERE p.class = 'pg_type'::regclass AND t.oid = p.oid),
                (SELECT c.relnamespace FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
                  WHERE p.class = 'pg_trigger'::regclass AND t.oid = p.oid),
                (SELECT c.relnamespace FROM pg_catalog.pg_policy AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.polrelid
                  WHERE p.class = 'pg_policy'::regclass AND t.oid = p.oid)) AS namespace
           ) AS n
      JOIN pg_catalog.pg_namespace AS s ON s.oid = n.namespace
     WHERE s.nspname <> ALL (%(schemas)s) AND s.nspname !~ '^pg_'
"""

Key = tuple[str, str]
"""Kind and name of a thing."""

OWNERS = frozenset({"geomill_owner", "geomill_api"})
"""Who owns what deploy makes."""


@dataclass(frozen=True)
class Thing:
    """One thing that a schema holds. Two are the same if their definitions are."""

    kind: str
    name: str
    definition: str
    detail: Mapping[str, Any] = field(compare=False)
    """Its parts; which, depends on the kind: see catalog.sql."""

    @property
    def key(self) -> Key:
        return (self.kind, self.name)


@dataclass(frozen=True)
class Catalog:
    """One reading of some schemas."""

    things: Mapping[Key, Thing]
    needs: Mapping[Key, frozenset[Key]] = field(compare=False)
    """What each thing cannot be without, in these schemas."""
    elsewhere: Mapping[Key, tuple[str, ...]] = field(compare=False, default_factory=dict)
    """What leans on a thing from other schemas, in PostgreSQL's words."""

    def __contains__(self, key: object) -> bool:
        return key in self.things

    def __getitem__(self, key: Key) -> Thing:
        return self.things[key]

    def get(self, key: Key) -> Thing | None:
        return self.things.get(key)

    def of_kind(self, kind: str) -> list[Thing]:
        """The things of one kind, by name."""
        return [thing for thing in self.things.values() if thing.kind == kind]

    def needed_by(self) -> dict[Key, set[Key]]:
        """The other way round: what leans on each thing."""
        result: dict[Key, set[Key]] = {}
        for key, needs in self.needs.items():
            for need in needs:
                result.setdefault(need, set()).add(key)
        return result

    def without(self, keys: Iterable[Key]) -> Catalog:
        """The same without some things."""
        gone = set(keys)
        return Catalog({key: thing for key, thing in self.things.items() if key not in gone}, self.needs, self.elsewhere)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the models say. None: not there."""

    kind: str
    name: str
    live: str | None
    wanted: str | None

    @property
    def key(self) -> Key:
        return (self.kind, self.name)

    def __str__(self) -> str:
        if self.live is None:
            return f"missing    {self.kind} {self.name}"
        if self.wanted is None:
            return f"unexpected {self.kind} {self.name}"
        return f"different  {self.kind} {self.name}{_how(self.live, self.wanted)}"


def read(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> Catalog:
    """Everything that the schemas hold. To be called in a transaction."""
    things: dict[Key, Thing] = {}
    places: dict[tuple[int, int, int], Key] = {}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = ''")
        cursor.execute(_QUERY.encode(), {"schemas": list(schemas)})
        for kind, name, definition, detail, class_, oid, sub in cursor.fetchall():
            things[kind, name] = Thing(kind, name, definition, detail)
            if oid:
                places[class_, oid, sub] = (kind, name)
        needs: dict[Key, set[Key]] = {key: set() for key in things}
        outside: dict[tuple[int, int, int], set[Key]] = {}
        cursor.execute(_DEPENDENCIES.encode())
        for class_, oid, sub, needed_class, needed_oid, needed_sub in cursor:
            key, needed = places.get((class_, oid, sub)), places.get((needed_class, needed_oid, needed_sub))
            if key and needed and key != needed:
                needs[key].add(needed)
            elif needed and not key:
                outside.setdefault((class_, oid, sub), set()).add(needed)
        elsewhere: dict[Key, set[str]] = {}
        if outside:
            cursor.execute(_ELSEWHERE, {"schemas": list(schemas), "places": [list(place) for place in outside]})
            for class_, oid, sub, described in cursor.fetchall():
                for needed in outside[class_, oid, sub]:
                    elsewhere.setdefault(needed, set()).add(described)
    for thing in things.values():
        needs[thing.key] |= _parts_need(thing, things)
    return Catalog(
        things, {key: frozenset(needed) for key, needed in needs.items()}, {key: tuple(sorted(each)) for key, each in elsewhere.items()}
    )


def differences(live: Catalog, wanted: Catalog) -> list[Difference]:
    """What differs, sorted."""
    return [
        Difference(kind, name, there.definition if there else None, here.definition if here else None)
        for kind, name in sorted(live.things.keys() | wanted.things.keys())
        for there, here in [(live.get((kind, name)), wanted.get((kind, name)))]
        if there != here
    ]


def strangers(live: Catalog, wanted: Catalog) -> list[Thing]:
    """Tables, functions and the like that somebody else made in our schemas, with everything that is part of them."""
    theirs = {
        thing.key
        for thing in live.things.values()
        if thing.key not in wanted
        and thing.kind in ("table", "view", "sequence", "function", "type")
        and thing.detail["owner"] not in OWNERS
    }
    return [thing for thing in live.things.values() if thing.key in theirs or not theirs.isdisjoint(wholes(thing))]


def notable(found: Iterable[Difference], live: Catalog, wanted: Catalog) -> list[Difference]:
    """Differences without those that go without saying: the parts of what is missing or unexpected as a whole."""
    made = list(found)
    whole = {one.key for one in made if one.live is None or one.wanted is None}
    sides = {**wanted.things, **live.things}
    return [one for one in made if whole.isdisjoint(wholes(sides[one.key])) or (one.live is not None and one.wanted is not None)]


def fingerprint(catalog: Catalog) -> str:
    """SHA-256 of a reading."""
    digest = hashlib.sha256()
    for (kind, name), thing in sorted(catalog.things.items()):
        digest.update(f"{kind}\0{name}\0{thing.definition}\0".encode())
    return digest.hexdigest()


def listed(found: Iterable[Difference]) -> str:
    """Differences for people, one a line."""
    return "\n".join(f"  {difference}" for difference in found)


def table_of(thing: Thing) -> str | None:
    """The table or view that a thing is, or is part of."""
    match thing.kind:
        case "table" | "view":
            return thing.name
        case "row security" | "storage":
            return thing.name
        case "comment" | "grant on table" | "grant on column":
            match thing.detail["class"]:
                case "table" | "view":
                    return str(thing.detail["of"])
                case "column":
                    return str(thing.detail["of"]).rpartition(".")[0]
            return None
    table = thing.detail.get("table")
    return None if table is None else str(table)


def wholes(thing: Thing) -> set[Key]:
    """What a thing is part of, where it is part of something: under each name that this may have."""
    if thing.kind in ("table", "view", "sequence", "function", "type", "schema"):
        return set()
    table = table_of(thing)
    if table is not None:
        found = {("table", table), ("view", table)}
        if thing.kind in ("comment", "grant on column") and thing.detail["class"] == "column":
            found.add(("column", str(thing.detail["of"])))
        return found
    if thing.kind == "comment" or thing.kind.startswith("grant on "):
        class_ = str(thing.detail["class"])
        return {("function" if class_ == "procedure" else class_, str(thing.detail["of"]))}
    return set()


def _parts_need(thing: Thing, things: Mapping[Key, Thing]) -> set[Key]:
    """What rights, comments and settings lean on, which pg_depend does not say."""
    needed: set[Key] = set()
    if thing.kind == "comment" or thing.kind.startswith("grant on"):
        class_, of = str(thing.detail["class"]), str(thing.detail["of"])
        needed |= {
            (kind, of) for kind in (class_, "view" if class_ == "table" else class_, "function" if class_ == "procedure" else class_)
        }
    elif thing.kind in ("row security", "storage", "column", "policy", "trigger", "index", "check", "key", "rule"):
        table = table_of(thing)
        needed |= {("table", str(table)), ("view", str(table))}
    return {key for key in needed if key in things}


def _how(live: str, wanted: str) -> str:
    """The first line in which two definitions part."""
    for there, here in zip(live.splitlines(), wanted.splitlines(), strict=False):
        if there != here:
            return f"\n               live:   {there.strip()}\n               wanted: {here.strip()}"
    return "\n               one has more lines than the other"
