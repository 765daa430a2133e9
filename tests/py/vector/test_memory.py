"""Memory follows bytes, not rows: a few huge geometries, alone or among many small ones, take no more than a batch or two."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

ROOT = Path(__file__).resolve().parents[3]
HUGE, VERTICES = 20, 600_000
MEGABYTES = HUGE * VERTICES * 16 / 1e6


def layer(folder: Path, suffix: str, small: int) -> Path:
    """Huge circles, with as many small ones before and after each."""
    turn = np.linspace(0, 2 * np.pi, VERTICES)
    turn[-1] = 0
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    shapes = []
    for number in range(HUGE):
        shapes += [shapely.Polygon(circle + number), *[shapely.Point(number, number).buffer(0.1, quad_segs=2)] * small]
    frame = geopandas.GeoDataFrame({"n": range(len(shapes)), "name": "text"}, geometry=shapes, crs=4326)
    path = folder / f"huge.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path, row_group_size=max(1, small))
    else:
        frame.to_file(path)
    return path


FURTHER = [("gpkg", 0), ("fgb", 200), ("shp", 0), ("shp", 200), ("parquet", 0), ("parquet", 200)]


@pytest.mark.parametrize(("suffix", "small"), [("gpkg", 200), ("fgb", 0), *(pytest.param(*one, marks=pytest.mark.slow) for one in FURTHER)])
def test_huge_geometries_take_no_more_than_a_few_batches(tmp_path: Path, suffix: str, small: int) -> None:
    path = layer(tmp_path, suffix, small)
    command = [sys.executable, "-m", "tests.py.vector.peak", str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=400)
    rows, batch, megabytes = (float(one) for one in done.stdout.split())
    assert rows == HUGE * (1 + small)
    assert batch < 2, "a batch is as large as it may be, and its last row"
    assert megabytes < MEGABYTES, "less than the geometries alone have"
