"""Handlers that tests need and no real task has. Worker processes import this by GEOMILL_HANDLER_MODULES.

What a test wants to know of a running task goes through files: a task touches `<folder>/<index>.<attempt>` when it
starts, and a gated one waits until `<folder>/open` is there.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import rasterio

from workers.context import Completed, Task
from workers.errors import TaskError
from workers.registry import handles

Plain = Task[dict[str, Any]]


def _started(task: Plain) -> Path:
    folder = Path(task.parameters["folder"])
    (folder / f"{task.claimed.task_index}.{task.claimed.attempt}").touch()
    return folder


def _pass_gate(task: Plain, *, checking: bool = True) -> None:
    folder = _started(task)
    while not (folder / "open").exists():
        if checking:
            task.check()
        time.sleep(0.02)


@handles("test_gate")
def gate(task: Plain) -> dict[str, Any]:
    """Waits, from the index `from` on."""
    if task.claimed.task_index >= task.parameters.get("from", 0):
        _pass_gate(task, checking=task.parameters.get("checking", True))
    return {"index": task.claimed.task_index, "attempt": task.claimed.attempt}


@handles("test_effect")
def effect(task: Plain) -> Completed:
    """One row in public.effects, committed with the completion; waits in between."""
    with task.effects() as effects:
        effects.connection.execute(
            "INSERT INTO public.effects (task_index, attempt) VALUES (%s, %s)", (task.claimed.task_index, task.claimed.attempt)
        )
        _pass_gate(task)
        return effects.complete({"index": task.claimed.task_index})


@handles("test_careless")
def careless(task: Plain) -> Completed:
    """Completes with an effect, and raises afterwards."""
    with task.effects() as effects:
        effects.connection.execute("INSERT INTO public.effects (task_index, attempt) VALUES (1000, 1)")
        effects.complete({})
    raise RuntimeError("too late to matter")


@handles("test_half")
def half(task: Plain) -> dict[str, Any]:
    """Leaves an effects transaction without completing: nothing of it remains."""
    with task.effects() as effects:
        effects.connection.execute("INSERT INTO public.effects (task_index, attempt) VALUES (0, 1)")
    return {"results": [result.result_data for result in task.results(1)]}


@handles("test_raise")
def raise_what_is_asked(task: Plain) -> dict[str, Any]:
    """Raises or ends as `what` says."""
    what = task.parameters["what"]
    match what:
        case "task_error":
            raise TaskError("NO_CRS", "the file has no CRS", category="data", remediation="give source_crs", field="source_crs")
        case "value_error":
            raise ValueError("password=hunter2 is wrong")
        case "memory_error":
            raise MemoryError
        case "system_exit":
            raise SystemExit(0)
        case "keyboard_interrupt":
            raise KeyboardInterrupt
        case "sql_error":
            with task.effects() as effects:
                effects.connection.execute("SELECT 1 / 0")
        case "gdal_error":
            rasterio.open(task.parameters["path"])
        case "exit" if task.claimed.attempt == 1:
            os._exit(3)
        case "kill" if task.claimed.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return {}


@handles("test_result")
def result(task: Plain) -> Any:
    """Returns what cannot be kept, and what can."""
    return {"nan": {"a": float("nan")}, "nul": {"a": "\x00"}, "surrogate": {"a": "\ud800"}, "object": {"a": object()}, "text": "text"}.get(
        task.parameters["what"], {"fine": True}
    )
