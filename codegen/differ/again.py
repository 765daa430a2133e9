"""What cannot be altered, or leans on what cannot: it is dropped before, and made again after."""

from __future__ import annotations

from codegen import changes
from codegen.catalog import Key, Thing
from codegen.differ.work import Work


def pair_renames(work: Work) -> None:
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


def find_what_is_made_again(work: Work) -> None:
    """Widen what cannot be altered by what leans on it, until nothing more follows."""
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


def _consequence(work: Work, key: Key, other: Key) -> set[Key] | None:
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


def _by_new_enum(work: Work, key: Key) -> bool:
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
