"""The heart of a worker: a thread and a connection of their own, so that a long task does not look like a dead worker.

It also brings news: attempts that were taken back or cancelled are marked, so that `task.check()` raises in their
handler. Nothing that happens here ends the process; a lost connection is opened again at the next beat.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from workers.attempts import Attempts
from workers.backoff import Backoff
from workers.engine import Engine, WorkerDeadError
from workers.identity import Identity
from workers.logs import process_log

INTERVAL = 10.0
_PERHAPS_DEAD_AFTER = 45.0
"""The engine takes a worker for dead after 60 seconds of silence. After a gap like this we ask."""


class Heartbeat:
    """Beats from `start` to `stop`. `each_beat` is called at every beat, whether or not the database answers."""

    def __init__(self, identity: Identity, attempts: Attempts, each_beat: Callable[[], None], interval: float = INTERVAL) -> None:
        self._identity = identity
        self._attempts = attempts
        self._each_beat = each_beat
        self._interval = interval
        self._engine = Engine("heartbeat")
        self._backoff = Backoff(min(1.0, interval), interval)
        self._stopping = threading.Event()
        self._last_beat = _clock()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start beating."""
        self._last_beat = _clock()
        self._thread.start()

    def stop(self) -> None:
        """Stop beating, and close the connection."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        delay = self._interval
        while not self._stopping.wait(delay):
            delay = self._beat()
        self._engine.close()

    def _beat(self) -> float:
        """Beat once; the seconds until the next beat."""
        try:
            self._each_beat()
            if not self._identity.dead:
                self._beat_as(self._identity.worker_id)
        except Exception as error:  # noqa: BLE001 - whatever it was, a worker without a heart would be taken for dead
            self._engine.close()
            delay = self._backoff.delay()
            self._log().warning("heartbeat failed", error=str(error).strip(), retry_in=round(delay, 1))
            return delay
        self._backoff.reset()
        return self._interval

    def _beat_as(self, worker_id: str) -> None:
        gap, now = _clock() - self._last_beat, _clock()
        try:
            lost = self._engine.heartbeat(worker_id)
            if gap > _PERHAPS_DEAD_AFTER and not self._engine.is_alive(worker_id):
                raise WorkerDeadError(f"silent for {gap:.0f} seconds")
        except WorkerDeadError as death:
            if self._identity.declared_dead(worker_id):
                self._attempts.end_all()
                self._log().warning("declared dead", reason=str(death))
            return
        self._last_beat = now
        for task_id, attempt, reason in lost:
            if self._attempts.end(task_id, attempt, reason):
                self._log().info("attempt ended for others", task=task_id, attempt=attempt, reason=reason)

    def _log(self) -> FilteringBoundLogger:
        # The loop's thread has bound these for itself only.
        return process_log().bind(worker=self._identity.worker_id, process_id=os.getpid())


def _clock() -> float:
    """Seconds that go on while the machine is suspended, as the server's do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
