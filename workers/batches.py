"""How many tasks to claim at once, and of which types.

Batching is most of the throughput of short tasks, and poison for long ones: what waits behind a long task in one
worker's batch could be running in another. So a batch grows only while batches are quick, and a batch of more than one
takes only types that have shown themselves to be quick; at least once a second, a claim of one is open to every type,
so that priority among types is late by that much and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

QUICK_BATCH = 0.25
SLOW_BATCH = 2.0
_OPEN_CLAIM_EVERY = 1.0
_WEIGHT_OF_NEW = 0.3


@dataclass(frozen=True)
class Claim:
    """What the next turn asks for."""

    task_types: list[str]
    max_tasks: int


class Batches:
    """Learns from what it is told of each batch; `now` is any clock that only goes forward."""

    def __init__(self, task_types: Sequence[str], max_batch: int, now: float) -> None:
        self._task_types = list(task_types)
        self._max_batch = max_batch
        self._size = 1
        self._seconds: dict[str, float] = {}
        self._last_open_claim = now - _OPEN_CLAIM_EVERY

    @property
    def size(self) -> int:
        """The present size of a batch."""
        return self._size

    def next_claim(self, now: float) -> Claim:
        """One task of any type, or a batch of quick ones."""
        quick = [task_type for task_type in self._task_types if self._seconds.get(task_type, SLOW_BATCH) * self._size <= SLOW_BATCH]
        if self._size == 1 or not quick or now - self._last_open_claim >= _OPEN_CLAIM_EVERY:
            self._last_open_claim = now
            return Claim(self._task_types, 1)
        return Claim(quick, self._size)

    def found_nothing(self) -> None:
        """A claim came back empty: the next one is open to every type, whenever it comes."""
        self._last_open_claim = float("-inf")

    def took(self, task_type: str, seconds: float) -> None:
        """One task has run for so long."""
        before = self._seconds.get(task_type)
        self._seconds[task_type] = seconds if before is None else before + _WEIGHT_OF_NEW * (seconds - before)

    def batch_took(self, asked: int, got: int, seconds: float) -> None:
        """A batch has ended. Only a full batch of the present size says that a larger one would be as quick."""
        if seconds > SLOW_BATCH:
            self._size = max(1, self._size // 2)
        elif seconds < QUICK_BATCH and asked == got == self._size:
            self._size = min(self._max_batch, self._size * 2)
