"""Grids and zonal statistics by one real worker, beside the bare h3 library and a plain pass of numpy over the same pixels."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import psycopg
import rasterio
import shapely
from psycopg.types.json import Jsonb
from rasterio.transform import from_origin

from bench.engine import empty_engine
from workers.h3 import natural_earth

KEY = "bench/bench/r1/bench.tif"
_CHILD = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""
_GRID = {"kind": "bbox", "bbox": [8.0, 44.0, 11.0, 47.0]}


@dataclass(frozen=True)
class Side:
    """What was done, in how long, by geomill and by the least that could do it, and the largest memory of a worker in MB."""

    name: str
    done: int
    seconds: float
    bare: float
    memory: int


def measure(connection: psycopg.Connection[Any], dsn: str, *, resolutions: tuple[int, ...], side: int) -> Iterator[Side]:
    """A grid of the world's land at each resolution; then a square raster of so many pixels a side, by centres and by area."""
    land = shapely.get_parts(shapely.union_all(shapely.make_valid(shapely.from_wkb(natural_earth.countries()))))
    with tempfile.TemporaryDirectory(prefix="geomill-bench-") as folder:
        for resolution in resolutions:
            seconds, memory = _job(
                connection, dsn, folder, "bootstrap_h3_grid", {"grid_id": f"land{resolution}", "resolutions": [resolution]}
            )
            [(count,)] = connection.execute("SELECT count(*) FROM h3.grids WHERE grid_id = %s", (f"land{resolution}",)).fetchall()
            began = time.perf_counter()
            for part in land:
                rings = [np.asarray(ring.coords)[:, ::-1].tolist() for ring in (part.exterior, *part.interiors)]
                h3.h3shape_to_cells_experimental(h3.LatLngPoly(*rings), resolution, contain="center")
            yield Side(f"cells of land, resolution {resolution}", count, seconds, time.perf_counter() - began, memory)
        values = _raster(Path(folder) / KEY, side)
        _job(connection, dsn, folder, "bootstrap_h3_grid", {"grid_id": "bench", "resolutions": [7], "filter": _GRID})
        for weighting in ("center", "area"):
            options = {"grid_id": "bench", "resolution": 7, "weighting": weighting}
            asked = {"dataset": weighting, "endpoints": {"cog": KEY}, "h3": options}
            seconds, memory = _job(connection, dsn, folder, "h3_zonal_statistics", asked)
            yield Side(f"pixels by {weighting}, resolution 7", values.size, seconds, _plain(Path(folder) / KEY), memory)
    connection.execute("TRUNCATE h3.zonal_runs, h3.grids, h3.grid_metadata, h3.reference_filters CASCADE")
    empty_engine(connection)


def _job(connection: psycopg.Connection[Any], dsn: str, folder: str, job_type: str, parameters: dict[str, Any]) -> tuple[float, int]:
    """Seconds from the first task's claim to the job's end, and the worker's largest memory."""
    [(job,)] = connection.execute("SELECT app.submit_job(%s, %s)", (job_type, Jsonb(parameters))).fetchall()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_DSN")}
    worker = [sys.executable, "-m", "workers", "--processes", "1", "--until-idle"]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *worker],
        env=environment | {"GEOMILL_DSN": dsn, "GEOMILL_STORAGE": folder, "GEOMILL_LOG_LEVEL": "error"},
        check=True,
        capture_output=True,
        text=True,
    )
    [(status, seconds)] = connection.execute(
        "SELECT j.status, extract(epoch FROM j.completed_at - j.started_at)::float8 FROM app.jobs AS j WHERE j.job_id = %s", (job,)
    ).fetchall()
    assert status == "completed", (job_type, status)
    return float(seconds), int(done.stdout) // 1024


def _raster(path: Path, side: int) -> Any:
    """Noise over three degrees of northern Italy, as a tiled GeoTIFF."""
    path.parent.mkdir(parents=True)
    values = np.random.default_rng(1).normal(500, 100, (side, side)).astype("float32")
    profile = {
        "driver": "GTiff",
        "count": 1,
        "height": side,
        "width": side,
        "dtype": "float32",
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
    }
    with rasterio.open(path, "w", crs="EPSG:4326", transform=from_origin(8, 47, 3 / side, 3 / side), **profile) as dataset:
        dataset.write(values, 1)
    return values


def _plain(path: Path) -> float:
    """Seconds to read all pixels and take their count, sum, squares and extremes, in no cells at all."""
    began = time.perf_counter()
    with rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            values = dataset.read(1, window=window).astype("float64")
            _ = (values.size, values.sum(), (values * values).sum(), values.min(), values.max())
    return time.perf_counter() - began
