"""What a handler is given: its task, and the one transaction in which its effects and its completion commit together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, NewType, TypeVar

import psycopg
from psycopg.rows import dict_row
from structlog.typing import FilteringBoundLogger

from codegen.messages.tasks import ClaimedTask
from workers.attempts import Attempts
from workers.connections import EffectsConnection, short_connection
from workers.encoding import encode
from workers.errors import TaskCancelled, TaskError
from workers.storage import Storage

P = TypeVar("P")

CONFLICT = "GM409"
"""From hold_task: another transaction holds the task. From the completion: the attempt is stale."""
HOLD_PATIENCE = 15.0
"""How long an earlier attempt's transaction may take to end, once its worker is gone."""

Completed = NewType("Completed", int)
"""The task id of a task whose completion has committed with its effects: what `effects.complete` returns."""


@dataclass(frozen=True)
class StageResult:
    """How one task of an earlier stage ended."""

    task_index: int
    task_id: int
    status: str
    result_data: dict[str, Any] | None


class Effects:
    """An open transaction that holds the attempt. What is done on `connection` commits with `complete`, or not at all."""

    def __init__(self, connection: psycopg.Connection[Any], claimed: ClaimedTask) -> None:
        self.connection = connection
        self.completed: Completed | None = None
        self._claimed = claimed

    def complete(self, result: dict[str, Any]) -> Completed:
        """Complete the task as the transaction's last statement, and commit. Nothing may follow on the connection.

        A stale attempt raises TaskCancelled, and nothing of the transaction remains.
        """
        text = encode(result)
        task_id, attempt = self._claimed.task_id, self._claimed.attempt
        try:
            row = self.connection.execute(
                "SELECT task_updated FROM app.complete_task_and_check_stage(%s, %s, %s::jsonb)", (task_id, attempt, text)
            ).fetchone()
        except psycopg.Error as error:
            if error.sqlstate == CONFLICT:
                raise TaskCancelled("lost") from error
            raise
        if row is None or not row[0]:
            raise TaskCancelled("lost")
        self.connection.commit()
        self.completed = Completed(task_id)
        return self.completed


@dataclass
class Task(Generic[P]):
    """One attempt of one task, as its handler sees it."""

    claimed: ClaimedTask
    """As app.turn handed it out."""
    parameters: P
    """The stage's parameters, validated by the handler's model."""
    item: Any
    """The element that this task is about, in a stage that fans out over an array."""
    previous: dict[str, Any] | None
    """The result of the task of the same place, in a stage that matches the previous one."""
    log: FilteringBoundLogger
    """Bound to request, job, task, attempt and correlation_id."""
    storage: Storage
    give_up_at: float
    """The deadline, on this machine's monotonic clock."""
    attempts: Attempts
    effects_connection: EffectsConnection
    completed: Completed | None = field(default=None, init=False)
    """Set once the task has completed with its effects; nothing is reported for it then."""

    def check(self) -> None:
        """Raise TaskCancelled if the attempt was lost or cancelled, or its deadline has passed. Long loops call it."""
        if reason := self.attempts.ended(self.claimed.task_id, self.claimed.attempt):
            raise TaskCancelled(reason)
        if time.monotonic() > self.give_up_at:
            raise TaskCancelled("deadline")

    def results(self, stage: int, job_id: str | None = None) -> list[StageResult]:
        """How the tasks of an earlier stage ended, in order: of this job, or of one before it."""
        with short_connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                "SELECT task_index, task_id, status::text AS status, result_data FROM app.stage_results(%s, %s) ORDER BY task_index",
                (job_id or self.claimed.job_id, stage),
            )
            return [StageResult(**row) for row in cursor]

    @contextmanager
    def effects(self) -> Iterator[Effects]:
        """Open a transaction that holds the attempt. Leaving it without `complete` rolls everything back.

        The connection is used again by later tasks: settings belong in SET LOCAL, temporary tables in ON COMMIT DROP.
        """
        with self.effects_connection.transaction() as connection:
            self._hold(connection)
            effects = Effects(connection, self.claimed)
            try:
                yield effects
            finally:
                self.completed = effects.completed or self.completed

    def _hold(self, connection: psycopg.Connection[Any]) -> None:
        """Hold the attempt, as the transaction's first statement. The server is told to notice if this process dies."""
        give_up_at = time.monotonic() + HOLD_PATIENCE
        while True:
            self.check()
            try:
                connection.execute(
                    "SELECT set_config('client_connection_check_interval', '5s', true), app.hold_task(%s, %s)",
                    (self.claimed.task_id, self.claimed.attempt),
                )
            except psycopg.Error as error:
                if error.sqlstate != CONFLICT:
                    raise
                connection.rollback()
                if time.monotonic() > give_up_at:
                    raise TaskError(
                        "TASK_HELD",
                        "another transaction still holds the task: an earlier attempt's, or the janitor's",
                        category="system",
                        remediation="Nothing to do: the task is tried again",
                        retryable=True,
                    ) from error
                time.sleep(0.25)
            else:
                return
