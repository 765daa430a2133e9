"""A plan on paper: the listing that people read, the file that deploy holds itself to, and scripts to apply by hand."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from codegen.catalog import Key
from codegen.plan import Plan
from codegen.refusal import RefusedError
from codegen.settings import settings
from codegen.steps import Hazard, Step
from codegen.version import git_revision, version

FORMAT = 1


def path_for(database: str) -> Path:
    """Where the plan of a database is kept between `plan` and `deploy`."""
    named = hashlib.sha256(database.encode()).hexdigest()[:12]
    return settings().home / "plans" / f"{database.rpartition(' ')[2]}-{named}.json"


def keep(plan: Plan, path: Path) -> None:
    """Write a plan; one without steps takes an earlier one away."""
    if not plan:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(_document(plan), indent=1, ensure_ascii=False) + "\n")
    beside.rename(path)


def kept_id(path: Path) -> str | None:
    """Which plan a file holds; None without one."""
    try:
        document = json.loads(path.read_text())
        return str(document["id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(str(path), "it is no plan", "run `python -m codegen plan` again") from error


def listing(plan: Plan) -> list[str]:
    """The plan for people."""
    lines = [f"{stranger}: left alone" for stranger in plan.strangers]
    if not plan:
        return [*lines, *plan.differences]
    lines += [*plan.differences, "", f"{_steps(plan.steps)} (plan {plan.id[:12]}):"]
    last = ""
    active = set(plan.hazards)
    for number, step in enumerate(plan.steps, start=1):
        if step.when != last:
            lines.append(f"  {_WHEN[step.when]}")
            last = step.when
        lock = f"   [{step.lock.lower()} on {', '.join(step.tables)}]" if step.lock and step.tables else ""
        lines.append(f"    {number:3}. {step.title}{lock}")
        lines += [f"         ! {hazard.name}: {hazard.why}  {flags([hazard])}" for hazard in step.hazards if hazard in active]
    if plan.hazards:
        lines.append(f"hazards: deploy refuses until each is allowed: {flags(plan.hazards)}")
    lines += [f"blocked: {line}" for line in plan.blocked]
    lines.append("way back: " + (_steps(plan.reverse) if plan.reverse is not None else f"none: {plan.irreversible}"))
    return lines


def _steps(steps: Sequence[Step]) -> str:
    return f"{len(steps)} step{'' if len(steps) == 1 else 's'}"


_WHEN = {
    "labels": "first, committed by themselves: enum labels",
    "expand": "tables of the claim path, a transaction each",
    "change": "one transaction",
    "contract": "tables of the claim path, a transaction each, once the functions are new",
    "afterwards": "beside running work, each by itself",
}


def flags(hazards: Iterable[Hazard]) -> str:
    """The flags that open the way, to be pasted."""
    return " ".join(f"--allow {shlex.quote(hazard.flag)}" for hazard in dict.fromkeys(hazards))


def script(steps: Sequence[Step], title: str, lock_timeout: str) -> str:
    """Steps as a script for psql, transactions and roles written out."""
    lines = [
        f"-- {title}",
        "-- For psql: stops at the first error. What stands outside a transaction can be run again.",
        "\\set ON_ERROR_STOP on",
        "SET client_min_messages = warning;",
        "",
    ]
    for transaction in transactions(steps):
        if transaction[0].concurrently:
            lines += [f"-- {transaction[0].title}", "RESET ROLE;", "SET lock_timeout = 0;", *transaction[0].statements, ""]
            continue
        lines += [
            "BEGIN;",
            f"SET LOCAL lock_timeout = '{lock_timeout}';",
            "SET LOCAL search_path = '';",
            "SET LOCAL check_function_bodies = off;",
        ]
        as_owner: bool | None = None
        for step in transaction:
            lines.append(f"-- {step.title}")
            if step.as_owner != as_owner:
                lines.append("SET LOCAL ROLE geomill_owner;" if step.as_owner else "SET LOCAL ROLE NONE;")
                as_owner = step.as_owner
            lines += [statement.rstrip() for statement in step.statements]
        lines += ["COMMIT;", ""]
    return "\n".join(lines)


def transactions(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps that run together: see codegen.steps for the times."""
    result: list[list[Step]] = []
    group: tuple[Any, ...] | None = None
    for step in steps:
        own: tuple[Any, ...] = (step.when, step.tables if step.when in ("expand", "contract") else ())
        if result and own == group and step.when != "afterwards":
            result[-1].append(step)
        else:
            result.append([step])
        group = own
    return result


def write_scripts(plan: Plan, folder: Path, lock_timeout: str) -> list[Path]:
    """The way there and the way back, for a DBA who applies by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{plan.id[:12]}"
    forward = folder / f"{stem}_forward.sql"
    forward.write_text(script(plan.steps, f"geomill {version()}: plan {plan.id}", lock_timeout))
    if plan.reverse is None:
        return [forward]
    back = folder / f"{stem}_reverse.sql"
    back.write_text(script(plan.reverse, f"geomill: the way back from plan {plan.id}", lock_timeout))
    return [forward, back]


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": plan.id,
        "database": plan.database,
        "software_version": version(),
        "git_revision": git_revision(),
        "live": plan.live,
        "wanted": plan.wanted,
        "differences": plan.differences,
        "strangers": plan.strangers,
        "hazards": [{"flag": hazard.flag, "why": hazard.why} for hazard in plan.hazards],
        "blocked": plan.blocked,
        "steps": [step_document(step) for step in plan.steps],
        "reverse": None if plan.reverse is None else [step_document(step) for step in plan.reverse],
        "irreversible": plan.irreversible,
    }


def step_document(step: Step) -> dict[str, Any]:
    """A step as JSON."""
    return {
        "title": step.title,
        "when": step.when,
        "statements": list(step.statements),
        "keys": sorted(list(key) for key in step.keys),
        "tables": list(step.tables),
        "lock": step.lock,
        "hazards": [{"name": one.name, "object": one.object, "why": one.why, "table": one.table} for one in step.hazards],
        "as_owner": step.as_owner,
        "refused_rows": step.refused_rows,
    }


def step_from(document: dict[str, Any]) -> Step:
    """The other way round."""
    keys: frozenset[Key] = frozenset((str(kind), str(name)) for kind, name in document["keys"])
    return Step(
        title=document["title"],
        statements=tuple(document["statements"]),
        when=document["when"],
        keys=keys,
        tables=tuple(document["tables"]),
        lock=document["lock"],
        hazards=tuple(Hazard(one["name"], one["object"], one["why"], one["table"]) for one in document["hazards"]),
        as_owner=document["as_owner"],
        refused_rows=document["refused_rows"],
    )
