"""Idle: how long from a submit until the handler starts, beside a bare NOTIFY and claim.

A real worker (`python -m workers`) waits on one side, the least that can be written on the other; submits alternate, and each
waits until both are at rest again.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.engine import empty_engine
from bench.handler import STARTED

_NOTIFY = "WITH made AS (INSERT INTO bench_floor.task (payload) VALUES ('{}')) SELECT pg_notify('bench_floor', '')"
_SUBMIT = "SELECT app.submit_job('bench', jsonb_build_object('n', 1, 'idle', %s::integer))"
_REST = 0.05
_PATIENCE = 30.0


@dataclass(frozen=True)
class Waits:
    """Milliseconds from before the submit until the handler's first line."""

    bare: list[float]
    engine: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.engine) / statistics.median(self.bare)


def measure_idle(connection: psycopg.Connection[Any], dsn: str, *, times: int) -> Waits:
    """Alternate `times` submits to each side."""
    waits = Waits([], [])
    connection.execute("TRUNCATE bench_floor.task")
    empty_engine(connection)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="geomill-bench-")))
        bare = _listener(stack, folder / "bare", [sys.executable, "-m", "bench.bare_listener", dsn], {})
        engine = _listener(
            stack,
            folder / "engine",
            [sys.executable, "-m", "workers", "--processes", "1", "--task-types", "bench"],
            {"GEOMILL_DSN": dsn, "GEOMILL_STORAGE": str(folder), "GEOMILL_HANDLER_MODULES": "bench.handler"},
        )
        bare.recv(32)  # it listens
        # The worker listens by the time its first task has run and it waits again.
        connection.execute(_SUBMIT, (-1,), prepare=True)
        engine.recv(32)
        time.sleep(2.0)
        for number in range(times):
            for told, statement, parameters, into in (
                (bare, _NOTIFY, (), waits.bare),
                (engine, _SUBMIT, (number,), waits.engine),
            ):  # fmt: skip
                time.sleep(_REST)
                before = time.time_ns()
                connection.execute(statement, parameters, prepare=True)
                into.append((int(told.recv(32)) - before) / 1e6)
    return waits


def _listener(stack: ExitStack, path: Path, command: list[str], variables: dict[str, str]) -> socket.socket:
    """A process that says on the socket at `path` when it starts something; ended with the stack."""
    told = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    told.bind(str(path))
    told.settimeout(_PATIENCE)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_DSN")}
    process = subprocess.Popen(
        command, env={**inherited, **variables, STARTED: str(path)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def end() -> None:
        process.terminate()
        process.wait(timeout=_PATIENCE)

    stack.callback(end)
    return told
