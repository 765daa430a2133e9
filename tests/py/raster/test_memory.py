"""Memory does not grow with the raster, nor is it read again and again: each step works through it in windows, whatever its layout."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio._env import get_gdal_config
from rasterio.transform import from_origin

from codegen.messages.request import RasterOptions
from tests.py.support.server import CHECKOUT
from workers import cog, raster_profile, raster_report, raster_source

SMALL, LARGE = 12_000, 36_000
"""Sides. The larger has nine times the pixels of the smaller, 2.6 GB of them."""
MOST = 600
"""MB that a step may take; the libraries alone are 190 of them, and GDAL's cache up to 256."""
STEPS = ("examine", "convert", "prove")


def sparse(path: Path, side: int, dtype: str = "uint16", **layout: Any) -> Path:
    """A raster that is nearly all zeros, which take no room on the disk."""
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype=dtype, crs="EPSG:32631", SPARSE_OK="TRUE",
        transform=from_origin(300_000, 5_000_000, 10, 10), **layout,
    ) as dataset:  # fmt: skip
        corner = rasterio.windows.Window(0, 0, 512, 512)
        dataset.write(np.full((1, 512, 512), 7, dtype), window=corner)
    return path


def peaks(folder: Path, side: int, **layout: Any) -> dict[str, float]:
    """The highest memory of each step, in MB."""
    source = sparse(folder / f"{side}.tif", side, **layout)
    found = {}
    for step in STEPS:
        command = [sys.executable, "-m", "bench.raster_steps", step, str(source), str(folder / f"{side}-cog.tif")]
        found[step] = json.loads(subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout)["megabytes"]
    return found


def test_a_raster_that_is_larger_than_the_memory_it_takes(tmp_path: Path) -> None:
    side = 13_000
    assert side**2 * 4 / 1e6 > MOST
    for step, megabytes in peaks(tmp_path, side, dtype="float32", tiled=False).items():
        assert megabytes < MOST, step


@contextmanager
def read(most: float) -> Iterator[None]:
    """What reads at most so many bytes, from files and caches alike."""

    def so_far() -> int:
        return next(int(line.split()[1]) for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar"))

    before = so_far()
    yield
    assert so_far() - before < most


def test_strips_are_not_read_again_for_each_tile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen tiles lie across a strip; there is room for the strips of a row of tiles, and not for those of three."""
    monkeypatch.setitem(raster_source._SETTINGS, "GDAL_CACHEMAX", 24 * 1024**2)
    path, target = tmp_path / "strips.tif", tmp_path / "cog.tif"
    values = np.arange(8192, dtype="float32") + np.arange(1536, dtype="float32")[:, None]
    with rasterio.open(
        path, "w", driver="GTiff", width=8192, height=1536, count=1, dtype="float32", crs="EPSG:32631", tiled=False,
        transform=from_origin(300_000, 5_000_000, 10, 10),
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    size, options = path.stat().st_size, RasterOptions()
    with raster_source.opened(path, path.name) as raster:
        with read(2.5 * size):  # its checksum and its pixels
            report = raster_report.examine(raster, options, None, lambda: None)
        profile = raster_profile.choose(report, options)
        with read(3 * size):  # its pixels, and for the overviews its pixels again
            cog.write(raster, report, options, profile, target)
        with read(1.5 * size + 2 * target.stat().st_size):
            cog.verify(raster, report, options, profile, target, lambda: None)


def test_the_cache_is_as_large_as_it_says(tmp_path: Path) -> None:
    """Of what GDAL takes for megabytes, rasterio makes bytes."""
    with raster_source.opened(sparse(tmp_path / "a.tif", 1024), "a.tif"):
        assert get_gdal_config("GDAL_CACHEMAX") == 256 * 1024**2


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 512, "blockysize": 512}, {"tiled": False}], ids=["tiles", "strips"])
def test_nine_times_the_pixels_take_no_more_memory(layout: dict[str, Any], tmp_path: Path) -> None:
    small, large = peaks(tmp_path, SMALL, **layout), peaks(tmp_path, LARGE, **layout)
    for step in STEPS:
        # What GDAL's cache holds, and buffers as wide as the raster; the pixels are 2.3 GB more.
        assert large[step] < small[step] + raster_source.CACHE_BYTES / 1e6 + 60, (step, small, large)
        assert large[step] < 900, (small, large)
