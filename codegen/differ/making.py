"""What is new or different: tables, columns, constraints, functions, rights."""

from __future__ import annotations

from dataclasses import replace

from codegen import changes
from codegen.catalog import Key, Thing, table_of, wholes
from codegen.differ.afterwards import is_built_afterwards, referenced
from codegen.differ.conversions import is_lossless
from codegen.differ.enum_types import rows_that_do_not_cast
from codegen.differ.removal import goes_by_itself, is_in_the_way
from codegen.differ.work import Work, add, granted, needed_first, time_of
from codegen.refusal import RefusedError
from codegen.steps import Hazard


def make(work: Work) -> None:
    """What is new, made again or altered, in the order of its kinds and of what leans on what."""
    chosen = {
        key
        for key in work.wanted.things
        if work.fresh(key) or key in work.again or work.changed(key) or key in work.retyped or _regranted(work, key)
    }
    chosen = {key for key in chosen if key[0] not in ("type", "schema")}
    for key in needed_first(chosen, work.wanted):
        thing = work.wanted[key]
        if thing.kind == "column":
            _make_column(work, thing)
        elif thing.kind in ("check", "key", "index"):
            _make_constraint(work, thing)
        elif work.fresh(key) or key in work.again or _regranted(work, key):
            _make_thing(work, thing)
        else:
            live = work.live[key]
            title = granted(thing) if thing.kind.startswith("grant on ") else f"change {thing.kind} {thing.name}"
            when = (
                time_of(work, thing, "expand")
                if thing.kind == "storage"
                else time_of(work, thing, "contract")
                if thing.kind == "trigger"
                else "change"
            )
            add(work, title, changes.alter(live, thing), thing, when=when)


def _regranted(work: Work, key: Key) -> bool:
    """Rights and comments of what is made again are made again, though they are as they were; rights also where the owner changes,
    for the old owner's become the new one's."""
    thing = work.wanted[key]
    if key not in work.live or not (thing.kind == "comment" or thing.kind.startswith("grant on ")):
        return False
    if thing.kind != "comment" and any(_changes_owner(work, whole) for whole in wholes(thing)):
        return True
    return not work.changed(key) and goes_by_itself(work, thing)


def _changes_owner(work: Work, key: Key) -> bool:
    return work.changed(key) and work.live[key].detail.get("owner") != work.wanted[key].detail.get("owner")


def _make_thing(work: Work, thing: Thing) -> None:
    when = (
        time_of(work, thing, "expand")
        if thing.kind == "storage"
        else time_of(work, thing, "contract")
        if thing.kind == "trigger"
        else "change"
    )
    if thing.kind.startswith("grant on "):
        anew = not any(_changes_owner(work, whole) for whole in wholes(thing))
        add(work, granted(thing), changes.grant(thing, anew=anew), thing, sides=(work.wanted,))
        return
    statements = changes.create(thing, work.wanted)
    things = [thing]
    if thing.kind == "table":
        things += changes.parts(thing, work.wanted)
    if thing.kind == "function":
        statements = [*statements, changes.revoke_public(thing)]
    verb = "comment" if thing.kind == "comment" else f"create {thing.kind}"
    add(
        work,
        f"{verb} {'on ' if thing.kind == 'comment' else ''}{thing.name}",
        statements,
        *things,
        when=when,
        sides=(work.wanted,),
    )


def _make_column(work: Work, thing: Thing) -> None:
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
        when = "change" if calls or thing.key in work.again else time_of(work, thing, "expand")
        add(work, f"add column {thing.name} {it['type']}", changes.create(thing, work.wanted), thing, when=when)
        return
    before = live.detail
    if thing.key in work.retyped and ("type", it["bare"].removesuffix("[]")) in work.again and before["bare"] == it["bare"]:
        pass  # cast with its enum, default and all
    elif before["type"] != it["type"]:
        narrower = Hazard("data-loss", thing.name, f"values of {before['type']} may not survive as {it['type']}", table)
        hazards = () if is_lossless(before["type"], it["type"]) else (narrower,)
        others = {*work.again, *(key for key in work.live.things if work.gone(key) and is_in_the_way(work, work.live[key]))}
        alone = not any(table_of(work.live[key]) == table for key in others if key in work.live)
        when = time_of(work, thing, "expand") if alone else "change"
        add(
            work,
            f"change the type of {thing.name} from {before['type']} to {it['type']}",
            changes.retype(live, thing),
            thing,
            hazards=hazards,
            when=when,
            refused_rows=rows_that_do_not_cast(work, live, thing) if hazards else None,
            uproots=True,
        )
    elif before["generated"] is not None and it["generated"] is None:
        default = [] if it["default"] is None else [changes.alter_column(thing, "SET DEFAULT {}", it["default"])]
        add(work, f"keep the values of {thing.name}, generated no more", [changes.alter_column(thing, "DROP EXPRESSION"), *default], thing)
    elif before["default"] != it["default"]:
        action = (
            changes.alter_column(thing, "DROP DEFAULT")
            if it["default"] is None
            else changes.alter_column(thing, "SET DEFAULT {}", it["default"])
        )
        add(work, f"change the default of {thing.name}", [action], thing, when=time_of(work, thing, "expand"))
    if before["not_null"] and not it["not_null"]:
        statements = [*changes.identity(live, thing), changes.alter_column(thing, "DROP NOT NULL")]
        add(work, f"let {thing.name} be NULL", statements, thing, when=time_of(work, thing, "expand"))
        return
    if it["not_null"] and not before["not_null"]:
        if work.has_rows(table):
            return  # afterwards, beside running work
        add(work, f"require {thing.name}", [changes.alter_column(thing, "SET NOT NULL")], thing)
    statements = changes.identity(live, thing)
    add(work, f"change how {thing.name} numbers rows", statements, thing)


def _make_constraint(work: Work, thing: Thing) -> None:
    table = thing.detail["table"]
    live = work.live.get(thing.key)
    if live is not None and thing.key not in work.again:
        return  # valid or not: afterwards
    if work.is_new_table(table) and thing.detail.get("type") != "f":
        return  # with its table
    if is_built_afterwards(work, thing):
        return
    if thing.kind == "check" or (thing.kind == "key" and thing.detail["type"] == "f"):
        valid = thing.detail["valid"] and not work.has_rows(table)
        others = referenced(thing)
        waits = others or _needs_fresh_function(work, thing) or not work.wanted.needs[thing.key].isdisjoint(work.retyped | work.again)
        when = time_of(work, thing, "expand") if live is None and not waits else "change"
        add(
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
    add(work, f"create {thing.kind} {thing.name}", changes.create(thing, work.wanted), thing, hazards=hazards)


def _needs_fresh_function(work: Work, thing: Thing) -> bool:
    return any(kind == "function" or work.fresh((kind, name)) for kind, name in work.wanted.needs[thing.key])
