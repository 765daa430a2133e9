"""A raster twenty times as large as the memory: a request's whole road by one worker, beside the COG driver alone.

The source is really as large on the disk, and in strips, which is the worst layout for tiles. Where control groups may be made (by
root), worker and driver have MEMORY and no more, with what the system keeps of files for them; a process beyond that is killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, LiteralString

import numpy as np
import psycopg
import rasterio
from psycopg import sql
from rasterio.transform import from_origin

from bench.vectors import ROLE, client, peak, workers

MEMORY = 1024**3
_GROUPS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))
_PATIENCE = 7200.0
_ROWS = 512


@dataclass(frozen=True)
class Figure:
    """What a request took, and what the driver did."""

    is_limited: bool
    source: int
    cog: int
    seconds: float
    by_task: dict[str, float]
    megabytes: float
    """The worker's highest memory."""
    read: float
    """Bytes that the worker has read, in sources."""
    driver_seconds: float
    driver_megabytes: float


def measure(connection: psycopg.Connection[Any], dsn: str, side: int) -> Figure:
    """One request and one run of the driver, one after the other."""
    with TemporaryDirectory(prefix="geomill-bench-") as name, _machine() as confine, client(connection):
        source = make(Path(name) / "huge.tif", side)
        size = source.stat().st_size
        with workers(connection, dsn, 1) as [worker]:
            confine(worker)
            read = _read(worker)
            seconds, cog = _request(connection, source)
            read, megabytes = _read(worker) - read, peak(worker)
        by_task = dict(connection.execute(_BY_TASK).fetchall())
        driver = _driver(source, confine)
    return Figure(confine is not _free, size, cog, seconds, by_task, megabytes, read / size, driver["seconds"], driver["megabytes"])


def make(path: Path, side: int) -> Path:
    """Terraces of ten metres, as float32, uncompressed, in strips of one row."""
    across = 300 * np.cos(np.arange(side) / 700) + 20 * np.sin(np.arange(side) / 31)
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="float32", bigtiff="YES", tiled=False,
        crs="EPSG:32631", transform=from_origin(200_000, 8_000_000, 8, 8),
    ) as dataset:  # fmt: skip
        for row in range(0, side, _ROWS):
            height = min(_ROWS, side - row)
            down = 1000 + 300 * np.sin(np.arange(row, row + height) / 900)
            values = np.round((down[:, None] + across) / 10).astype("float32") * 10
            dataset.write(values, 1, window=rasterio.windows.Window(0, row, side, height))
    return path


def _free(_process: int) -> None:
    """No limit."""


@contextmanager
def _machine() -> Iterator[Callable[[int], object]]:
    """What makes a process, with all that it does from then on, one of a machine of MEMORY."""
    for place, limit in _GROUPS:
        group = Path(place) / "geomill-bench"
        try:
            group.mkdir(exist_ok=True)
            (group / limit).write_text(str(MEMORY))
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        break
    else:
        yield _free
        return
    try:
        yield lambda process: (group / "cgroup.procs").write_text(str(process))
    finally:
        group.rmdir()


_SUBMIT: LiteralString = "SELECT request_id FROM platform.submit_request('bench', 'huge', 'v1', %s, 'raster')"
_STATUS: LiteralString = (
    "SELECT status::text, error, (stac_metadata #>> '{assets,data,file:size}')::bigint FROM platform.requests WHERE request_id = %s"
)
_BY_TASK: LiteralString = "SELECT task_type, sum(extract(epoch FROM completed_at - started_at))::float8 FROM app.tasks GROUP BY task_type"


def _request(connection: psycopg.Connection[Any], source: Path) -> tuple[float, int]:
    """Seconds from submit to the request's end, and the size of its COG."""
    connection.execute("SELECT platform.allow_source_root('bench', %s)", (f"{source.parent}/",))
    before = time.monotonic()
    connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(ROLE)))
    [(request,)] = connection.execute(_SUBMIT, (str(source),)).fetchall()
    connection.execute("RESET SESSION AUTHORIZATION")
    while (row := connection.execute(_STATUS, (request,)).fetchall()[0])[0] in ("pending", "processing"):
        if time.monotonic() - before > _PATIENCE:
            raise TimeoutError(f"the request is {row[0]} after {_PATIENCE:g} s")
        time.sleep(0.1)
    if row[0] != "completed":
        raise RuntimeError(f"the request is {row[0]}: {row[1]}")
    return time.monotonic() - before, row[2]


def _driver(source: Path, confine: Callable[[int], object]) -> dict[str, float]:
    """The driver alone, as geomill calls it, from a process of its own."""
    target = source.with_name("driver.tif")
    command = [sys.executable, "-m", "bench.raster_steps", "driver", str(source), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        confine(process.pid)
        said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the driver ended with {process.returncode}")
    return dict(json.loads(said))


def _read(process: int) -> int:
    """Bytes that a process has read, from files and caches alike."""
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))
