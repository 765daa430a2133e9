"""Handlers are known, and import, before anything is claimed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from workers import registry
from workers.context import Task
from workers.errors import ConfigurationError
from workers.registry import EXTRA_MODULES, check_handlers, handles, load_handlers
from workers.tasks import HANDLER_MODULES


@pytest.fixture
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_handlers", {})


@pytest.mark.usefixtures("empty_registry")
def test_a_module_that_does_not_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handlers_without_library.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=r"handlers_without_library .*no_such_library"):
        load_handlers(["handlers_without_library"])


@pytest.mark.usefixtures("empty_registry")
def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no_such_handlers"):
        load_handlers(["no_such_handlers"])


@pytest.mark.usefixtures("empty_registry")
def test_extra_modules_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "extra_handlers.py").write_text(
        "from workers.registry import handles\n\n\n@handles('extra')\ndef run(task):\n    return {}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(EXTRA_MODULES, "extra_handlers, ")
    monkeypatch.setattr("workers.tasks.HANDLER_MODULES", [])
    assert list(load_handlers()) == ["extra"]
    sys.modules.pop("extra_handlers")


@pytest.mark.usefixtures("empty_registry")
def test_two_handlers_for_one_type_are_refused() -> None:
    @handles("twice")
    def first(task: Task[dict[str, Any]]) -> dict[str, Any]:
        return task.parameters

    def second(task: Task[dict[str, Any]]) -> dict[str, Any]:
        return task.parameters

    with pytest.raises(ConfigurationError, match="two handlers for task type twice"):
        handles("twice")(second)


def test_every_listed_module_imports() -> None:
    handlers = load_handlers(HANDLER_MODULES)
    assert {"hello_greeting", "hello_reply"} <= set(handlers)


def test_a_task_type_without_handler_is_refused() -> None:
    handlers = load_handlers(["workers.tasks.hello_world"])
    with pytest.raises(ConfigurationError, match="no handler for task type no_such_task"):
        check_handlers(handlers, ["hello_reply", "no_such_task"])
    assert check_handlers(handlers, ["hello_reply", "hello_reply"]) == ["hello_reply"]
    assert "hello_greeting" in check_handlers(handlers, None)
