"""Which function serves which task type.

A handler declares itself with `@handles`; its module stands in `workers.tasks.HANDLER_MODULES`. Everything is imported
at start-up, so that a missing library is an error before the first claim and not in the middle of a job.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from codegen.messages.base import Message
from workers.errors import ConfigurationError

if TYPE_CHECKING:
    from workers.context import Completed, Task

EXTRA_MODULES = "GEOMILL_HANDLER_MODULES"

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Handler:
    """One task type: the model of its parameters, and what to do."""

    task_type: str
    parameters: type[Message] | None
    run: Callable[[Task[Any]], dict[str, Any] | Completed]
    missing: Callable[[], str | None] | None = None
    """What this process lacks to do it; None where it lacks nothing."""


_handlers: dict[str, Handler] = {}


@overload
def handles(
    task_type: str, parameters: type[M], *, missing: Callable[[], str | None] | None = None
) -> Callable[[Callable[[Task[M]], dict[str, Any] | Completed]], Callable[[Task[M]], dict[str, Any] | Completed]]: ...


@overload
def handles(
    task_type: str, parameters: None = None, *, missing: Callable[[], str | None] | None = None
) -> Callable[
    [Callable[[Task[dict[str, Any]]], dict[str, Any] | Completed]], Callable[[Task[dict[str, Any]]], dict[str, Any] | Completed]
]: ...


def handles(
    task_type: str, parameters: type[Message] | None = None, *, missing: Callable[[], str | None] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function the handler of a task type.

    It receives a Task whose parameters have passed the model (or are a plain dict where there is none), and returns a
    dict, which the next turn reports, or what `effects.complete` returned. Where `missing` names something that this
    process lacks (a key, say), the task type is left to other workers.
    """

    def declare(run: Callable[..., Any]) -> Callable[..., Any]:
        known = _handlers.get(task_type)
        if known is not None and (known.run.__module__, known.run.__qualname__) != (run.__module__, run.__qualname__):
            raise ConfigurationError(f"two handlers for task type {task_type}: in {known.run.__module__} and in {run.__module__}")
        _handlers[task_type] = Handler(task_type, parameters, run, missing)
        return run

    return declare


def load_handlers(modules: Iterable[str] | None = None) -> Mapping[str, Handler]:
    """Import every handler module; raises ConfigurationError naming the module that does not import, and why."""
    for module in _listed() if modules is None else modules:
        try:
            importlib.import_module(module)
        except ConfigurationError:
            raise
        except Exception as error:  # an import may raise anything; all of it means that this worker cannot serve the module's tasks
            raise ConfigurationError(
                f"handler module {module} cannot be imported: {type(error).__name__}: {error}. "
                "Install what it needs (make up), or take it off HANDLER_MODULES"
            ) from error
    return MappingProxyType(_handlers)


def check_handlers(handlers: Mapping[str, Handler], task_types: Iterable[str] | None) -> list[str]:
    """The task types to claim: those asked for, or all that this process can do. One that it cannot do is refused."""
    lacking = {name: why for name, handler in handlers.items() if handler.missing is not None and (why := handler.missing())}
    if task_types is None:
        wanted = sorted(set(handlers) - set(lacking))
    else:
        wanted = list(dict.fromkeys(task_types))
        if missing := [task_type for task_type in wanted if task_type not in handlers]:
            raise ConfigurationError(f"no handler for task type {', '.join(missing)}; there are handlers for {', '.join(sorted(handlers))}")
        if unable := [f"{task_type}: {lacking[task_type]}" for task_type in wanted if task_type in lacking]:
            raise ConfigurationError(f"this process cannot do what it is to claim: {'; '.join(unable)}")
    if not wanted:
        raise ConfigurationError("no task type to claim: no handler module declares a handler")
    return wanted


def _listed() -> list[str]:
    from workers.tasks import HANDLER_MODULES

    extra = [module.strip() for module in os.environ.get(EXTRA_MODULES, "").split(",")]
    return [*HANDLER_MODULES, *(module for module in extra if module)]
