"""A MosaicJSON names each COG for the tiles that it covers, and for no others."""

from __future__ import annotations

import importlib
import logging

import morecantile
import numpy as np
import pytest
from cogeo_mosaic.mosaic import MosaicJSON
from shapely.geometry import box, mapping

import workers.mosaic
from workers.mosaic import Covering, mosaic

TMS = morecantile.tms.get("WebMercatorQuad")


def hrefs_at(document: MosaicJSON, longitude: float, latitude: float) -> list[str]:
    zoom = document.quadkey_zoom
    assert zoom is not None
    return list(document.tiles.get(TMS.quadkey(TMS.tile(longitude, latitude, zoom)), []))


def test_two_cogs_side_by_side() -> None:
    document = mosaic([Covering("a.tif", (0, 0, 5, 5), 6, 10), Covering("b.tif", (20, 0, 25, 5), 7, 12)])
    assert document is not None
    assert (document.minzoom, document.maxzoom, document.quadkey_zoom) == (6, 12, 6)
    assert hrefs_at(document, 1, 1) == ["a.tif"]
    assert hrefs_at(document, 23, 1) == ["b.tif"]
    assert hrefs_at(document, -40, 1) == []
    assert list(document.bounds) == [0, 0, 25, 5]
    assert MosaicJSON.model_validate_json(document.model_dump_json(exclude_none=True)).tiles == document.tiles


def test_over_the_antimeridian() -> None:
    document = mosaic([Covering("fiji.tif", (176, -20, -178, -12), 6, 10)])
    assert document is not None
    assert hrefs_at(document, 179.5, -15) == hrefs_at(document, -179.5, -15) == ["fiji.tif"]
    assert hrefs_at(document, 0, -15) == []


def test_a_tile_names_a_cog_once() -> None:
    document = mosaic([Covering("everywhere.tif", (10, -60, 5, 60), 0, 3)])
    assert document is not None
    assert document.tiles == {"0": ["everywhere.tif"]} or all(len(hrefs) == 1 for hrefs in document.tiles.values())


def test_what_reaches_beyond_the_web_map_is_cut() -> None:
    document = mosaic([Covering("north.tif", (0, 80, 5, 90), 4, 6), Covering("pole.tif", (0, 86, 5, 90), 4, 6)])
    assert document is not None
    assert {href for hrefs in document.tiles.values() for href in hrefs} == {"north.tif"}


def test_nothing_in_the_web_map() -> None:
    assert mosaic([Covering("pole.tif", (0, 86, 5, 90), 4, 6)]) is None


def test_the_index_stays_small() -> None:
    document = mosaic([Covering("world.tif", (-180, -85, 180, 85), 12, 16)])
    assert document is not None
    assert len(document.tiles) <= 20_000
    assert document.quadkey_zoom is not None
    assert document.quadkey_zoom < 12


def test_tiles_are_those_that_the_library_finds() -> None:
    """Ours are the tiles that each box meets; cogeo-mosaic's own way draws each outline on the tiles and asks a tree."""
    random = np.random.default_rng(5)
    for zoom in (0, 1, 4, 7, 9):
        west, south, width, height = random.uniform(-180, 174, 12), random.uniform(-85, 79, 12), *random.uniform(0.01, 6, (2, 12))
        members = [
            Covering(f"{index}.tif", bounds, zoom, 12)
            for index, bounds in enumerate(np.stack([west, south, west + width, south + height], axis=1).tolist())
        ]
        document = mosaic(members)
        theirs = MosaicJSON.from_features(
            [{"type": "Feature", "properties": {"path": one.href}, "geometry": mapping(box(*one.bounds))} for one in members],
            minzoom=zoom, maxzoom=12, quadkey_zoom=zoom,
        )  # fmt: skip
        assert document is not None
        assert document.tiles == theirs.tiles
        assert document.bounds == theirs.bounds


@pytest.mark.parametrize("level", [10, 30])
def test_the_root_logger_is_left_alone(level: int) -> None:
    root, before = logging.getLogger(), logging.getLogger().level
    try:
        root.setLevel(level)
        importlib.reload(workers.mosaic)
        assert root.level == level
    finally:
        root.setLevel(before)
