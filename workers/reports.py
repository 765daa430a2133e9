"""What a worker says of a task that has ended, in the form in which `app.turn` takes it.

Each is encoded by itself, before it joins a batch: what PostgreSQL would refuse is found here and fails its own task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codegen.messages.errors import ErrorDetail
from codegen.messages.tasks import ClaimedTask
from workers.encoding import NotJsonError, encode
from workers.errors import refused_result

_UNSPEAKABLE = "the task's error could not be stored; the worker's log has it"


@dataclass(frozen=True)
class Report:
    """One element of `finished`, as JSON text."""

    task: ClaimedTask
    text: str
    error: ErrorDetail | None

    @classmethod
    def completed(cls, task: ClaimedTask, result: dict[str, Any]) -> Report:
        """The task is done. A result that jsonb cannot hold makes it a failure."""
        try:
            return cls(task, _element(task, "result_data", encode(result)), None)
        except NotJsonError as refusal:
            return cls.failed(task, refused_result(task.task_type, str(refusal)))

    @classmethod
    def failed(cls, task: ClaimedTask, error: ErrorDetail) -> Report:
        """The attempt has failed."""
        try:
            text = encode(error.model_dump(mode="json", exclude_none=True))
        except (NotJsonError, ValueError):  # a value in an error must not hide the error
            error = error.model_copy(update={"value": None, "context": None})
            text = encode(error.model_dump(mode="json", exclude_none=True))
        return cls(task, _element(task, "error", text), error)

    def after_refusal(self, reason: str) -> Report | None:
        """What to say when the engine refuses to hear this: first why, then only that; then nothing, and the deadline will end it."""
        if self.error is None:
            return Report.failed(self.task, refused_result(self.task.task_type, reason))
        if self.error.context is None and self.error.value is None and self.error.message == _UNSPEAKABLE:
            return None
        return Report.failed(self.task, ErrorDetail(code="REPORT_REFUSED", category="system", message=_UNSPEAKABLE))


def _element(task: ClaimedTask, key: str, text: str) -> str:
    return f'{{"task_id":{task.task_id},"attempt":{task.attempt},"{key}":{text}}}'
