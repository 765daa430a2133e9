"""Rasters: each step of a conversion beside the COG driver and rio-cogeo, and a collection of small ones beside bare conversions."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from psycopg import sql
from rasterio.transform import from_origin

from bench.vectors import ROLE, client

CASES = ("float32", "rgb", "uint16 x 4", "palette")
STEPS = ("driver", "rio-cogeo", "examine", "convert", "statistics", "prove")
_STRIP = 512


@dataclass(frozen=True)
class Step:
    """What a step took."""

    seconds: float
    cpu: float
    """Seconds of the processor, of all threads: where others use the machine it says more than the clock."""
    megabytes: float
    """Peak of the process's memory."""
    size: int
    """Of what it made, in bytes; 0 for what makes nothing."""


@dataclass(frozen=True)
class Collection:
    """A collection of small rasters: two workers beside two processes that convert and do nothing else."""

    items: int
    geomill: float
    bare: float
    geomill_cpu: float
    """Of the workers, their start included; not of the server."""
    bare_cpu: float

    def each(self, seconds: float) -> float:
        """Milliseconds an item."""
        return seconds / self.items * 1000


def measure(case: str, side: int, folder: Path) -> dict[str, Step]:
    """Every step with one raster."""
    source = make(case, side, folder)
    return {step: _run(step, source, folder / f"{source.stem}-{'ours' if step in STEPS[2:] else step}.tif") for step in STEPS}


def make(case: str, side: int, folder: Path) -> Path:
    """A raster of the case: tiled and uncompressed, with some structure and some noise."""
    path = folder / f"{case.replace(' ', '_')}.tif"
    bands, dtype = {"float32": (1, "float32"), "rgb": (3, "uint8"), "uint16 x 4": (4, "uint16"), "palette": (1, "uint8")}[case]
    settings: dict[str, Any] = {"photometric": "RGB"} if case == "rgb" else {}
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=bands, dtype=dtype, tiled=True, blockxsize=512, blockysize=512,
        crs="EPSG:32631", transform=from_origin(300_000, 5_000_000, 10, 10), bigtiff="IF_SAFER", **settings,
    ) as dataset:  # fmt: skip
        for row in range(0, side, _STRIP):
            height = min(_STRIP, side - row)
            window = rasterio.windows.Window(0, row, side, height)
            dataset.write(np.stack([_values(case, band, row, height, side) for band in range(bands)]), window=window)
        if case == "palette":
            dataset.write_colormap(1, {value: (value * 20, 255 - value * 20, 100, 255) for value in range(12)})
    return path


def _values(case: str, band: int, row: int, height: int, side: int) -> NDArray[Any]:
    rows, columns = np.mgrid[row : row + height, 0:side]
    waves = np.sin(rows / 90 + band) + np.cos(columns / 70)
    noise = np.random.default_rng(row + band).standard_normal((height, side))
    if case == "float32":
        return np.asarray(500 + 200 * waves + noise).astype("float32")
    if case == "palette":
        return np.asarray((waves + 2) * 2.9).astype("uint8")
    if case == "rgb":
        return np.asarray(120 + 50 * waves + 4 * noise).astype("uint8")
    return np.asarray(4000 + 1500 * waves + 60 * noise).astype("uint16")


def _run(step: str, source: Path, target: Path) -> Step:
    """The step in a process of its own."""
    command = [sys.executable, "-m", "bench.raster_steps", step, str(source), str(target)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    size = target.stat().st_size if step in ("driver", "rio-cogeo", "convert") else 0
    return Step(said["seconds"], said["cpu"], said["megabytes"], size)


def measure_collection(connection: psycopg.Connection[Any], dsn: str, items: int, side: int) -> Collection:
    """So many small rasters, asked for by a client and done by two workers."""
    with tempfile.TemporaryDirectory(prefix="geomill-bench-") as name, client(connection):
        folder = Path(name)
        (folder / "sources").mkdir()
        (folder / "bare").mkdir()
        first = make("float32", side, folder)
        paths = [folder / "sources" / f"tile_{index}.tif" for index in range(items)]
        for path in paths:
            path.write_bytes(first.read_bytes())
        started, cpu = time.perf_counter(), _cpu()
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(_bare, paths, [folder / "bare" / path.name for path in paths], chunksize=10))
        bare, bare_cpu = time.perf_counter() - started, _cpu() - cpu
        _submit(connection, f"{folder}/sources/")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_DSN")}
        environment |= {"GEOMILL_DSN": dsn, "GEOMILL_STORAGE": str(folder / "storage"), "GEOMILL_LOG_LEVEL": "error"}
        started, cpu = time.perf_counter(), _cpu()
        subprocess.run([sys.executable, "-m", "workers", "--processes", "2", "--until-idle"], env=environment, check=True)
        geomill, geomill_cpu = time.perf_counter() - started, _cpu() - cpu
        [(status, done)] = connection.execute(
            "SELECT status::text, jsonb_array_length(endpoints -> 'cog') FROM platform.requests WHERE dataset_id = 'bench'"
        ).fetchall()
        if (status, done) != ("completed", items):
            raise RuntimeError(f"the collection ended {status} with {done} of {items}")
    return Collection(items, geomill, bare, geomill_cpu, bare_cpu)


def _cpu() -> float:
    """Of the processes that this one has waited for, in seconds: it says more than the clock where others use the machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bare(source: Path, target: Path) -> None:
    with rasterio.open(source) as dataset:
        rasterio.shutil.copy(dataset, target, driver="COG", compress="DEFLATE", predictor="YES", blocksize=512)


def _submit(connection: psycopg.Connection[Any], prefix: str) -> None:
    connection.execute("SELECT platform.allow_source_root('bench', %s)", (prefix,))
    connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(ROLE)))
    connection.execute("SELECT * FROM platform.submit_request('bench', 'tiles', 'v1', %s, 'collection')", (prefix,))
    connection.execute("RESET SESSION AUTHORIZATION")


def steps(side: int) -> Iterator[tuple[str, dict[str, Step]]]:
    """Each case, measured."""
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="geomill-bench-") as folder:
            yield case, measure(case, side, Path(folder))
