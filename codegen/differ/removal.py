"""What goes: before anything else what stands in the way, and at the end what nothing leans on any more."""

from __future__ import annotations

from collections.abc import Mapping

from codegen import changes
from codegen.catalog import Key, Thing, table_of
from codegen.differ.afterwards import is_exchanged
from codegen.differ.enum_types import aside
from codegen.differ.work import ATTACHED, Work, add, is_generated, is_ours, leaning_first, parts, revoked, stranger, time_of
from codegen.steps import Hazard

_LATE = frozenset({"check", "key", "index", "trigger"})
"""What a table of the claim path loses in a transaction of its own."""


def rename(work: Work, live: Thing, wanted: Thing) -> None:
    """The same thing under another name."""
    add(work, f"rename {live.kind} {live.name} to {wanted.detail['name']}", [changes.rename(live, wanted)], live, wanted)


def drop_early(work: Work) -> None:
    """What is made again, and what hangs on tables and goes: those that lean on others first."""
    chosen = {key for key in work.again if key in work.live and key[0] != "type"}
    chosen |= {
        key
        for key in work.live.things
        if work.gone(key) and (key[0] in ATTACHED or key[0].startswith("grant on ") or is_generated(work, key))
    }
    leaning = work.live.needed_by()
    for key in leaning_first(chosen, work.live):
        thing = work.live[key]
        if goes_by_itself(work, thing) or (thing.kind in ("index", "key") and is_exchanged(work, thing)):
            continue
        late = work.gone(key) and thing.kind in _LATE and _goes_late(work, key, leaning)
        title = f"drop {thing.kind} {thing.name}" + ("" if work.gone(key) else ", to be made again")
        add(
            work,
            revoked(thing) if thing.kind.startswith("grant on ") else title,
            changes.drop(thing),
            thing,
            *parts(work, thing),
            lock="" if thing.kind == "function" else "ACCESS EXCLUSIVE",
            hazards=_hazards_of_drop(work, thing),
            when="contract" if late else "change",
            sides=(work.live,),
            uproots=True,
        )


def goes_by_itself(work: Work, thing: Thing) -> bool:
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


def drop_late(work: Work) -> None:
    """Columns, tables, functions, types: when nothing that stays leans on them any more."""
    chosen = {key for key in work.live.things if work.gone(key) and key[0] in ("column", "table", "function", "sequence", "type")}
    leaning = work.live.needed_by()
    for key in leaning_first(chosen, work.live):
        thing = work.live[key]
        if goes_by_itself(work, thing) or (thing.kind == "column" and thing.detail["generated"] is not None):
            continue
        add(
            work,
            f"drop {thing.kind} {thing.name}",
            changes.drop(thing),
            thing,
            *parts(work, thing),
            hazards=_hazards_of_drop(work, thing),
            sides=(work.live,),
            when="contract" if _goes_late(work, key, leaning) else "change",
            uproots=True,
        )
    for key in sorted(work.again):
        if key[0] == "type":
            add(
                work,
                f"drop the old type {key[1]}",
                [changes.statement("DROP TYPE {};", aside(key[1]))],
                work.live[key],
                sides=(work.live,),
                uproots=True,
            )


def _goes_late(work: Work, key: Key, leaning: Mapping[Key, set[Key]]) -> bool:
    """Whether a thing, or something that leans on it and goes as well, is taken from a table of the claim path."""
    thing = work.live[key]
    stays_until_then = not is_generated(work, key) and not is_in_the_way(work, thing)
    if thing.kind in ("column", *_LATE) and time_of(work, thing, "contract") == "contract" and stays_until_then:
        return True
    own = parts(work, thing)
    references = [part.key for part in own if key[0] == "table" and part.kind == "key" and part.detail["type"] == "f"]
    if any(_goes_late(work, reference, leaning) for reference in references):
        return True  # after them
    places = [key, *(part.key for part in own if part.kind in ("column", "key"))]
    others = {other for place in places for other in leaning.get(place, ()) if other not in places and table_of(work.live[other]) != key[1]}
    return any(work.gone(other) and other[0] in (*_LATE, "column") and _goes_late(work, other, leaning) for other in others)


def is_in_the_way(work: Work, thing: Thing) -> bool:
    """Whether a check, a key, an index or a trigger must be gone before a column that it is about gets another type."""
    return thing.kind in _LATE and not work.live.needs[thing.key].isdisjoint(work.retyped | work.again)


def _hazards_of_drop(work: Work, thing: Thing) -> tuple[Hazard, ...]:
    if thing.kind == "table":
        loss = Hazard("data-loss", thing.name, "the table's rows are gone", thing.name)
        return (loss,) if is_ours(thing) else (loss, stranger(thing))
    if thing.kind == "column" and thing.detail["generated"] is None:
        return (Hazard("data-loss", thing.name, "the column's values are gone", thing.detail["table"]),)
    if thing.kind == "column" and work.changed(thing.key) and work.wanted[thing.key].detail["generated"] is not None:
        return ()
    if thing.kind == "function" and thing.detail["public"] and thing.key in work.live and not _same_interface(work, thing):
        why = "others may call it: a new shape gets a new name, and the old one stays for one release"
        public = Hazard("public-interface", thing.name, why)
        return (public,) if is_ours(thing) or thing.key in work.wanted else (public, stranger(thing))
    if not is_ours(thing) and thing.key not in work.wanted:
        return (stranger(thing),)
    return ()


def _same_interface(work: Work, thing: Thing) -> bool:
    other = work.wanted.get(thing.key)
    return other is not None and other.detail["interface"] == thing.detail["interface"]
