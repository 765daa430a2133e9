"""Steps by time and by table; those that belong together as one."""

from __future__ import annotations

from dataclasses import replace

from codegen.differ.work import Work
from codegen.steps import WHEN, Step, When


def in_order(work: Work) -> list[Step]:
    """By time; within the claim path's times, by table, so that each is locked once."""
    result: list[Step] = []
    for when in WHEN:
        chosen = [step for step in work.steps if step.when == when]
        apart = when in ("expand", "contract")
        result += sorted(chosen, key=lambda step: _place(work, step, when)) if apart else chosen
    return _joined(result)


def _place(work: Work, step: Step, when: When) -> tuple[int, tuple[str, ...]]:
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
