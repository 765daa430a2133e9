"""Waiting for something to become true: no longer than it takes.

The timeout is for what never comes. It is long, because a process that starts on a busy machine takes its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(predicate: Callable[[], T], timeout: float = 120.0, *, interval: float = 0.05, message: str = "") -> T:
    """The predicate's first true value. After the timeout the test fails, with the message and the last value."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{message or 'not true'} within {timeout:g} s; last value: {value!r}")
        time.sleep(interval)
