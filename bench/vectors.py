"""A vector file on the whole road (submit, inspect, load, indexes, swap, STAC item), beside ogr2ogr's COPY into a bare table.

ogr2ogr makes its table with a key and a spatial index, and nothing else: no lineage, no other index, no look at any geometry.
Both sides run in turn, on the same server; geomill's workers are up before the clock starts, and it stops with the request.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from bench.layers import folder

ROLE = "geomill_bench_client"
_TABLE = "public.bench_ogr2ogr"
_PATIENCE = 3600.0
_RUN = count(1)
_SUBMIT: LiteralString = (
    "SELECT request_id FROM platform.submit_request('bench', %s, 'v1', %s, 'vector', '{\"table_name\": \"bench\", \"reprocess\": true}')"
)


@dataclass
class Figure:
    """Seconds of each run: ogr2ogr's, and the request's by number of workers; and the workers' highest memory, in MB."""

    bare: list[float] = field(default_factory=list)
    workers: dict[int, list[float]] = field(default_factory=dict)
    memory: float = 0.0

    def ratio(self, workers: int) -> float:
        """Of the medians."""
        return statistics.median(self.workers[workers]) / statistics.median(self.bare)


def has_peer() -> bool:
    """Whether there is an ogr2ogr to compare with: `ops/install.sh bench`."""
    return shutil.which("ogr2ogr") is not None


def measure(connection: psycopg.Connection[Any], dsn: str, path: Path, *, runs: int, numbers: tuple[int, ...] = (1, 2)) -> Figure:
    """One file, each side in turn, as often as `runs` says."""
    figure = Figure(workers={number: [] for number in numbers})
    with client(connection):
        for _ in range(runs):
            if has_peer():
                figure.bare.append(_ogr2ogr(connection, dsn, path))
            for number in numbers:
                with workers(connection, dsn, number) as processes:
                    figure.workers[number].append(_request(connection, path))
                    figure.memory = max(figure.memory, *(peak(process) for process in processes))
    return figure


def _ogr2ogr(connection: psycopg.Connection[Any], dsn: str, path: Path) -> float:
    target = " ".join(f"{key}='{value}'" for key, value in conninfo_to_dict(dsn).items())
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(*_TABLE.split("."))))
    command = ["ogr2ogr", "-q", "--config", "PG_USE_COPY", "YES", "-f", "PostgreSQL", f"PG:{target}", str(path), "-nln", _TABLE]
    before = time.monotonic()
    subprocess.run([*command, "-nlt", "PROMOTE_TO_MULTI"], check=True, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - before
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*_TABLE.split("."))))
    return seconds


def _request(connection: psycopg.Connection[Any], path: Path) -> float:
    before = time.monotonic()
    connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(ROLE)))
    request = connection.execute(_SUBMIT, (f"r{next(_RUN)}", str(path))).fetchall()[0][0]
    connection.execute("RESET SESSION AUTHORIZATION")
    status: LiteralString = "SELECT status::text, error FROM platform.requests WHERE request_id = %s"
    while (row := connection.execute(status, (request,)).fetchall()[0])[0] in ("pending", "processing"):
        if time.monotonic() - before > _PATIENCE:
            raise TimeoutError(f"{path.name} is {row[0]} after {_PATIENCE:g} s")
        time.sleep(0.02)
    seconds = time.monotonic() - before
    if row[0] != "completed":
        raise RuntimeError(f"{path.name} is {row[0]}: {row[1]}")
    # What is measured is a new table each time, under the same name.
    connection.execute("DROP TABLE geo.bench")
    connection.execute("DELETE FROM platform.geo_tables")
    return seconds


@contextmanager
def client(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A client to measure with, who may read what the benchmarks make."""
    role = sql.Identifier(ROLE)
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE geomill_client").format(role))
    if connection.execute("SELECT FROM platform.clients WHERE client_id = 'bench'").fetchone() is None:
        connection.execute("SELECT platform.create_client('bench', %s, 'bench', 'What is measured')", (ROLE,))
        connection.execute("SELECT platform.allow_source_root('bench', %s)", (f"{folder()}/",))
    try:
        yield
    finally:
        connection.execute("RESET SESSION AUTHORIZATION")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
        connection.execute("DELETE FROM platform.requests")
        connection.execute("DELETE FROM platform.clients WHERE client_id = 'bench'")
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


@contextmanager
def workers(connection: psycopg.Connection[Any], dsn: str, number: int) -> Iterator[list[int]]:
    """Workers that wait for work; the ids of their processes."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_DSN")}
    alive = connection.execute("SELECT count(*) FROM app.workers WHERE status = 'alive'").fetchall()[0][0]
    with TemporaryDirectory(prefix="geomill-bench-") as storage:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers", "--processes", str(number)],
            env={**inherited, "GEOMILL_DSN": dsn, "GEOMILL_STORAGE": storage}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            give_up = time.monotonic() + 60
            while connection.execute("SELECT count(*) FROM app.workers WHERE status = 'alive'").fetchall()[0][0] < alive + number:
                if process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError("the workers did not come up")
                time.sleep(0.1)
            yield [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        finally:
            process.terminate()
            process.wait(timeout=60)


def peak(process: int) -> float:
    """The most memory that a process has had, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000
