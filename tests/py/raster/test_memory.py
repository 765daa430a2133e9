"""Memory does not grow with the raster: each step works through it in windows, whatever its size and layout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from tests.py.support.server import CHECKOUT

SMALL, LARGE = 8_000, 24_000
"""Sides. Both are more than GDAL's cache holds; the larger has nine times the pixels, 1.1 GB of them."""
STEPS = ("examine", "convert", "prove")


def sparse(path: Path, side: int, **layout: Any) -> Path:
    """A raster that is nearly all zeros, which take no room on the disk."""
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint16", crs="EPSG:32631", SPARSE_OK="TRUE",
        transform=from_origin(300_000, 5_000_000, 10, 10), **layout,
    ) as dataset:  # fmt: skip
        corner = rasterio.windows.Window(0, 0, 512, 512)
        dataset.write(np.full((1, 512, 512), 7, "uint16"), window=corner)
    return path


def peaks(folder: Path, side: int, **layout: Any) -> dict[str, float]:
    """The highest memory of each step, in MB."""
    source = sparse(folder / f"{side}.tif", side, **layout)
    found = {}
    for step in STEPS:
        command = [sys.executable, "-m", "bench.raster_steps", step, str(source), str(folder / f"{side}-cog.tif")]
        found[step] = json.loads(subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout)["megabytes"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 512, "blockysize": 512}, {"tiled": False}], ids=["tiles", "strips"])
def test_nine_times_the_pixels_take_no_more_memory(layout: dict[str, Any], tmp_path: Path) -> None:
    small, large = peaks(tmp_path, SMALL, **layout), peaks(tmp_path, LARGE, **layout)
    for step in STEPS:
        assert large[step] < small[step] + 150, (step, small, large)
        assert large[step] < 900, (small, large)
