"""Wherever a raster lies, each of its pixels is in the cell that the library says, and in no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from tests.py.h3.test_zonal import degrees
from workers.errors import TaskError
from workers.h3 import cells, zones

PLACES = {
    "the world in degrees": ("EPSG:4326", from_origin(-180, 90, 4, 4), 45, 90, 1),
    "east of 180 degrees": ("EPSG:4326", from_origin(175, -10, 0.2, 0.2), 50, 50, 3),
    "the world by Mercator": ("EPSG:3857", from_origin(-20037508, 8000000, 400000, 400000), 40, 100, 1),
    "a pole": ("EPSG:3413", from_origin(-1500000, 1500000, 50000, 50000), 60, 60, 2),
    "Fiji, on both sides": ("EPSG:32701", from_origin(0, 8200000, 10000, 10000), 60, 60, 3),
}


def placed(tmp_path: Path, place: str) -> tuple[Any, int]:
    crs, transform, height, width, resolution = PLACES[place]
    profile = {"driver": "GTiff", "count": 1, "height": height, "width": width, "dtype": "uint8", "crs": crs, "transform": transform}
    with rasterio.open(tmp_path / "made.tif", "w", **profile) as dataset:
        dataset.write(np.ones((1, height, width), dtype="uint8"))
    return rasterio.open(tmp_path / "made.tif"), resolution


def flat(dataset: Any, share: zones.Share) -> NDArray[np.int64]:
    """The positions of a share's pixels in the whole raster."""
    rows, columns = share.window.toslices()
    numbers: NDArray[np.int64] = np.arange(dataset.width * dataset.height).reshape(dataset.height, dataset.width)
    found: NDArray[np.int64] = numbers[rows, columns].ravel()[share.pixels]
    return found


@pytest.mark.parametrize("place", PLACES)
def test_by_centres(place: str, tmp_path: Path) -> None:
    dataset, resolution = placed(tmp_path, place)
    with dataset:
        latitudes, longitudes = (one.ravel().tolist() for one in degrees(dataset))
        expected = [h3.latlng_to_cell(lat, lng, resolution) for lat, lng in zip(latitudes, longitudes, strict=True)]
        found: NDArray[np.uint64] = np.zeros(dataset.width * dataset.height, dtype=np.uint64)
        for parent in zones.parents_of(dataset, resolution, resolution)[1]:
            own = cells.children(parent, resolution)
            for share in zones.Zones(dataset, own, resolution).shares("center", lambda: None):
                assert (found[flat(dataset, share)] == 0).all(), "no pixel twice"
                found[flat(dataset, share)] = own[share.zones]
        assert found.tolist() == expected


@pytest.mark.parametrize("place", ["the world in degrees", "a pole", "Fiji, on both sides"])
def test_by_area_the_shares_of_a_pixel_are_one(place: str, tmp_path: Path) -> None:
    dataset, resolution = placed(tmp_path, place)
    with dataset:
        weights = np.zeros(dataset.width * dataset.height)
        for parent in zones.parents_of(dataset, resolution, resolution)[1]:
            for share in zones.Zones(dataset, cells.children(parent, resolution), resolution).shares("area", lambda: None):
                assert share.weights is not None
                np.add.at(weights, flat(dataset, share), share.weights)
        assert weights == pytest.approx(np.ones(len(weights)), abs=1e-3)


def test_no_area_is_made_up_across_the_edge_of_a_map(tmp_path: Path) -> None:
    dataset, resolution = placed(tmp_path, "east of 180 degrees")
    with dataset:
        parent = h3.latlng_to_cell(-12.0, 179.0, 0)
        shares = zones.Zones(dataset, cells.children(parent, resolution), resolution).shares("area", lambda: None)
        with pytest.raises(TaskError) as refusal:
            next(shares)
    assert refusal.value.detail.code == "AREA_ACROSS_THE_EDGE"
