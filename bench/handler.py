"""The handler of bench's no-op tasks, for a real worker: it says when it has started, and is done."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from workers.context import Task
from workers.registry import handles

STARTED = "GEOMILL_BENCH_STARTED"
"""Path of the datagram socket that is told."""


@handles("bench")
def run(_task: Task[dict[str, Any]]) -> dict[str, Any]:
    """Say the time."""
    say_started()
    return {}


def say_started() -> None:
    """Send this moment, in nanoseconds, to whoever measures."""
    now = time.time_ns()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(str(now).encode(), os.environ[STARTED])
