"""How long to wait before trying again: doubling, with jitter, so that many who lost the same server do not return as one."""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from `first` to `most`; each is drawn from the upper half of its step."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._next = first

    def delay(self) -> float:
        """The next delay in seconds."""
        step, self._next = self._next, min(self._next * 2, self._most)
        return step * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """What was tried has worked."""
        self._next = self._first
