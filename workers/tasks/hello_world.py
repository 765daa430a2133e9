"""The smoke test: n greetings, then a reply to each. Exercises fan-out, results by reference and fan-in."""

from __future__ import annotations

from typing import Any

from codegen.messages.hello_world import HelloWorldParameters
from workers.context import Task
from workers.registry import handles


@handles("hello_greeting", HelloWorldParameters)
def greet(task: Task[HelloWorldParameters]) -> dict[str, Any]:
    """One greeting, numbered by the task's place in its stage."""
    return {"greeting": task.parameters.message, "index": task.claimed.task_index}


@handles("hello_reply", HelloWorldParameters)
def reply(task: Task[HelloWorldParameters]) -> dict[str, Any]:
    """The answer to the greeting of the same place."""
    previous = task.previous or {}
    return {"reply": f"{previous['greeting']} to you too", "index": previous["index"]}
