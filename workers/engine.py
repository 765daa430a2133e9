"""The engine as a worker sees it: a handful of SQL functions, and nothing else of the database.

Each client has one connection, opened when it is first needed and again after it broke. Errors are psycopg's; only what
the engine says of the worker itself, that it has been declared dead, has a class of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from codegen.messages.tasks import ClaimedTask
from workers.connections import open_connection
from workers.errors import is_disconnected, told_by_engine
from workers.storage_probe import StorageProbe

_TURN = """
SELECT t.task_id, t.attempt, t.job_id, t.job_type, t.stage, t.task_type, t.task_index, t.parameters, t.deadline, t.correlation_id,
       t.platform_request_id, extract(epoch FROM t.deadline - app.clock())::double precision AS seconds_left
  FROM app.turn(%s, %s::jsonb, %s::text[], %s) AS t
"""

_NOT_ALIVE = ("WORKER_DEAD", "NO_SUCH_WORKER")


class WorkerDeadError(Exception):
    """The engine has declared this worker_id dead, or does not know it any more: go on under a new one."""


@dataclass(frozen=True)
class Claimed:
    """A claimed task, with its deadline on this machine's clock: the server's clock may differ from ours."""

    task: ClaimedTask
    give_up_at: float
    malformed: ValidationError | None = None


class Engine:
    """One connection's view of the engine."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._connection: psycopg.Connection[Any] | None = None

    def register(self, worker_id: str, task_types: Sequence[str], hostname: str, process_id: int, software_version: str) -> None:
        """Make the worker known. Registering again while alive does no harm, and says whether it is alive."""
        self._rows(
            "SELECT app.register_worker(%s, %s::text[], %s, %s, %s)", (worker_id, list(task_types), hostname, process_id, software_version)
        )

    def turn(self, worker_id: str, finished: Sequence[str], task_types: Sequence[str], max_tasks: int) -> list[Claimed]:
        """Report what is finished (elements of JSON) and claim, in one commit."""
        rows = self._rows(_TURN, (worker_id, f"[{','.join(finished)}]", list(task_types), max_tasks))
        now = time.monotonic()
        return [_claimed(row, now) for row in rows]

    def heartbeat(self, worker_id: str) -> list[tuple[int, int, Literal["lost", "cancelled"]]]:
        """Say that the worker is alive; the attempts that it has lost meanwhile."""
        rows = self._rows("SELECT task_id, attempt, reason FROM app.heartbeat(%s)", (worker_id,))
        return [(row["task_id"], row["attempt"], "cancelled" if row["reason"] == "cancelled" else "lost") for row in rows]

    def is_alive(self, worker_id: str) -> bool:
        """Whether the worker has not been declared dead."""
        try:
            self._rows("SELECT app.register_worker(%s)", (worker_id,))
        except WorkerDeadError:
            return False
        return True

    def release(self, worker_id: str, *, stopping: bool = False) -> int:
        """Give back all that the worker holds; how many that was."""
        return int(self._rows("SELECT app.release_tasks(%s, stopping => %s) AS released", (worker_id, stopping))[0]["released"])

    def is_idle(self, task_types: Sequence[str]) -> bool:
        """Whether nothing of these types is open, waiting retries included."""
        return bool(self._rows("SELECT app.is_idle(%s::text[]) AS idle", (list(task_types),))[0]["idle"])

    def run_janitor_if_due(self) -> bool:
        """Run the janitor if nobody else has for too long; True if it ran."""
        if not self._rows("SELECT app.janitor_due() AS due", ())[0]["due"]:
            return False
        self._rows("SELECT app.run_janitor()", ())
        return True

    def report_storage(self, worker_id: str, probe: StorageProbe) -> None:
        """Say what this worker sees of its storage."""
        self._rows(
            "SELECT app.report_probe('storage', %s, %s, %s, %s)", (probe.location[:1000], probe.is_well, Jsonb(probe.metric), worker_id)
        )

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _rows(self, statement: LiteralString, values: tuple[object, ...]) -> list[DictRow]:
        if self._connection is None or self._connection.closed:
            self._connection = open_connection(self._purpose)
        try:
            with self._connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(statement, values).fetchall()
        except psycopg.Error as error:
            if is_disconnected(error):
                self.close()
            told = told_by_engine(error)
            if told is not None and told.code in _NOT_ALIVE:
                raise WorkerDeadError(error.diag.message_primary) from error
            raise
        except BaseException:
            # Interrupted in the middle of an exchange: the next answer on it would be this one's.
            self.close()
            raise


def _claimed(row: DictRow, now: float) -> Claimed:
    seconds_left = row.pop("seconds_left")
    malformed = None
    try:
        task = ClaimedTask.model_validate(row)
    except ValidationError as error:
        # Claimed all the same: it must be failed, not forgotten.
        task, malformed = ClaimedTask.model_construct(**row), error
    return Claimed(task, now + float(seconds_left), malformed)
