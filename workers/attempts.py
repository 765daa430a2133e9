"""Which of this worker's attempts have ended for others, as the heartbeat learns it and `task.check()` asks."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from workers.errors import Reason


class Attempts:
    """Written by the heartbeat's thread, read by the loop's. Knows only the attempts that the loop holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[int, int], Reason | None] = {}

    def hold(self, attempts: Iterable[tuple[int, int]]) -> None:
        """These have been claimed."""
        with self._lock:
            self._held.update(dict.fromkeys(attempts))

    def let_go(self, attempts: Iterable[tuple[int, int]]) -> None:
        """These are no longer this worker's: run to their end, or released."""
        with self._lock:
            for attempt in attempts:
                self._held.pop(attempt, None)

    def end(self, task_id: int, attempt: int, reason: Reason) -> bool:
        """This one was lost or cancelled; True if it is held and was not known to have ended."""
        with self._lock:
            known = (task_id, attempt) in self._held and self._held[task_id, attempt] is None
            if known:
                self._held[task_id, attempt] = reason
            return known

    def end_all(self) -> None:
        """The worker itself has been declared dead, and everything it held with it."""
        with self._lock:
            self._held = {attempt: reason or "lost" for attempt, reason in self._held.items()}

    def ended(self, task_id: int, attempt: int) -> Reason | None:
        """Why an attempt has ended for others; None while it is ours."""
        with self._lock:
            return self._held.get((task_id, attempt))
