"""One run of pgbench, and what it cost: rate, CPU time of its server processes, WAL.

A rate depends on who else uses the machine; the processor time that the server's own processes spend on a task much less.
It is read from /proc while they run, so it is there only where the server runs on this machine under Linux, and lacks their last
hundredth of a second.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

SQL = Path(__file__).resolve().parent / "sql"
_RUN = count(1)
_EVERY = 0.01


@dataclass(frozen=True)
class Run:
    """Tasks per second; microseconds of the server's CPU and bytes of WAL for each."""

    rate: float
    cpu: float | None
    wal: float


def pgbench(
    connection: psycopg.Connection[Any],
    dsn: str,
    script: Path,
    *,
    clients: int,
    tasks_each: int,
    seconds: float | None = None,
    transactions: int | None = None,
    variables: dict[str, object] | None = None,
) -> Run:
    """Run a script for so many seconds, or so many transactions a client; each transaction is `tasks_each` tasks."""
    name = f"geomill-bench-{os.getpid()}-{next(_RUN)}"
    limit = ["-t", str(transactions)] if transactions is not None else ["-T", str(seconds)]
    command = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", *limit, "-f", str(script)]
    for variable, value in (variables or {}).items():
        command += ["-D", f"{variable}={value}"]
    before = _position(connection)
    with _sampled(connection, name, clients) as spent:
        done = subprocess.run([*command, dsn], env={**os.environ, "PGAPPNAME": name}, capture_output=True, text=True, check=False)
    rate = re.search(r"tps = ([0-9.]+)", done.stdout)
    ended = re.search(r"actually processed: ([0-9]+)", done.stdout)
    if done.returncode != 0 or rate is None or ended is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    tasks = int(ended[1]) * tasks_each
    cpu = sum(spent.values()) / 1000 / tasks if len(spent) >= clients else None
    return Run(float(rate[1]) * tasks_each, cpu, (_position(connection) - before) / tasks)


def _position(connection: psycopg.Connection[Any]) -> float:
    row = connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::double precision").fetchone()
    assert row is not None
    return float(row[0])


@contextmanager
def _sampled(connection: psycopg.Connection[Any], application: str, clients: int) -> Iterator[dict[int, int]]:
    """Nanoseconds of CPU of each server process with this application_name, as last seen."""
    spent: dict[int, int] = {}
    done = threading.Event()

    def sample() -> None:
        while not done.wait(_EVERY):
            for process in processes:
                try:
                    spent[process] = int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
                except (OSError, ValueError):
                    continue

    processes: list[int] = []

    def find() -> None:
        # Connected one after the other, before the first transaction.
        while len(processes) < clients and not done.wait(_EVERY):
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", (application,)).fetchall()
            processes[:] = [row[0] for row in found]

    threads = [threading.Thread(target=find), threading.Thread(target=sample)]
    for thread in threads:
        thread.start()
    try:
        yield spent
    finally:
        done.set()
        for thread in threads:
            thread.join()
