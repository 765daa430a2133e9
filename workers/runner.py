"""Runs one attempt of one task, and always comes back: whatever a handler raises is the task's failure, not the worker's."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from structlog.typing import FilteringBoundLogger

from workers.attempts import Attempts
from workers.connections import EffectsConnection
from workers.context import Task
from workers.engine import Claimed
from workers.errors import TaskCancelled, TaskError, describe, invalid_parameters, refused_result
from workers.logs import task_log
from workers.native_messages import gathered
from workers.registry import Handler
from workers.reports import Report
from workers.storage import Storage


class Runner:
    """Handlers, and what they are given. One task at a time."""

    def __init__(self, handlers: Mapping[str, Handler], storage: Storage, attempts: Attempts) -> None:
        self._handlers = handlers
        self._storage = storage
        self._attempts = attempts
        self._effects = EffectsConnection()

    def run(self, claimed: Claimed) -> Report | None:
        """Run the task to its end; what to report, or None where its completion has committed or is no longer ours."""
        task, log = claimed.task, task_log(claimed.task)
        if reason := self._attempts.ended(task.task_id, task.attempt):
            log.info("task not started", reason=reason)
            return None
        started = time.monotonic()
        log.debug("task started", task_index=task.task_index)
        try:
            report = self._run(claimed, log)
        except BaseException as error:  # noqa: BLE001 - e.g. MemoryError while an error was being described
            report = Report.failed(task, describe(error))
        seconds = round(time.monotonic() - started, 4)
        if report is not None and report.error is not None:
            log.warning("task failed", seconds=seconds, **report.error.model_dump(mode="json", exclude_none=True, exclude={"value"}))
        elif not self._attempts.ended(task.task_id, task.attempt):
            log.info("task completed", seconds=seconds)
        return report

    def close(self) -> None:
        """Close the connection of the effects."""
        self._effects.close()

    def _run(self, claimed: Claimed, log: FilteringBoundLogger) -> Report | None:
        task: Task[Any] | None = None
        with gathered() as messages:
            try:
                handler = self._handlers[claimed.task.task_type]
                task = self._task(handler, claimed, log)
                result = handler.run(task)
            except BaseException as error:  # noqa: BLE001 - a handler's SystemExit or KeyboardInterrupt is no reason to end the process
                return self._failed(error, claimed, task, messages.listed(), log)
        if task.completed is not None:
            return None
        if not isinstance(result, dict):
            return Report.failed(claimed.task, refused_result(claimed.task.task_type, f"it is a {type(result).__name__}, not an object"))
        return Report.completed(claimed.task, result)

    def _failed(
        self, error: BaseException, claimed: Claimed, task: Task[Any] | None, messages: list[str], log: FilteringBoundLogger
    ) -> Report | None:
        if task is not None and task.completed is not None:
            log.warning("handler raised after its task had completed", exc_info=error)
            return None
        if isinstance(error, TaskCancelled) and error.reason != "deadline":
            # A report would change nothing: the attempt is not the current one.
            self._attempts.end(claimed.task.task_id, claimed.task.attempt, error.reason)
            log.info("task stopped", reason=error.reason)
            return None
        if isinstance(error, ValidationError) and task is None:
            return Report.failed(claimed.task, invalid_parameters(error, claimed.task.task_type))
        if not isinstance(error, TaskError | TaskCancelled):
            # What nobody foresaw: the log has the trace, the error has not.
            log.error("handler raised", exc_info=error)
        return Report.failed(claimed.task, describe(error, messages))

    def _task(self, handler: Handler, claimed: Claimed, log: FilteringBoundLogger) -> Task[Any]:
        if claimed.malformed is not None:
            raise claimed.malformed
        parameters: Any = dict(claimed.task.parameters)
        item = parameters.pop("item", None)
        previous = parameters.pop("previous", None)
        if handler.parameters is not None:
            # By way of JSON, because that is what the parameters are: strict models take dates and enums from it.
            parameters = handler.parameters.model_validate_json(json.dumps(parameters))
        return Task(
            claimed=claimed.task,
            parameters=parameters,
            item=item,
            previous=previous,
            log=log,
            storage=self._storage,
            give_up_at=claimed.give_up_at,
            attempts=self._attempts,
            effects_connection=self._effects,
        )
