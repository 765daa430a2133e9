"""MosaicJSON over COGs: which of them covers which tile of the web map."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import morecantile

_root = logging.getLogger()
_level = _root.level
# Importing cogeo_mosaic sets the root logger's level for everybody.
from cogeo_mosaic.mosaic import MosaicJSON  # noqa: E402

_root.setLevel(_level)

WEB_MAP = morecantile.tms.get("WebMercatorQuad")
Box = tuple[float, float, float, float]
_MERCATOR_LATITUDE = 85.05112877980659
_MOST_TILES = 20_000


@dataclass(frozen=True)
class Covering:
    """A COG of the mosaic: where it is, what it covers (west > east across the antimeridian), and its zoom range."""

    href: str
    bounds: Sequence[float]
    minzoom: int
    maxzoom: int


def mosaic(members: Sequence[Covering]) -> MosaicJSON | None:
    """The MosaicJSON of COGs; None where none of them reaches into the web map (all beyond 85° north or south)."""
    features = [(member, box) for member in members for box in _boxes(member.bounds)]
    if not features:
        return None
    minzoom, maxzoom = min(member.minzoom for member, _ in features), max(member.maxzoom for member, _ in features)
    boxes = [box for _, box in features]
    zoom = _index_zoom(minzoom, boxes)
    tiles: dict[str, list[str]] = {}
    for member, box in features:
        for quadkey in _quadkeys(box, zoom):
            hrefs = tiles.setdefault(quadkey, [])
            # A COG over the antimeridian is two features; a tile names it once.
            if member.href not in hrefs[-1:]:
                hrefs.append(member.href)
    west, south, east, north = zip(*boxes, strict=True)
    return MosaicJSON(
        mosaicjson="0.0.3",
        minzoom=minzoom,
        maxzoom=maxzoom,
        quadkey_zoom=zoom,
        bounds=(min(west), min(south), max(east), max(north)),
        tiles=tiles,
    )


def _boxes(bounds: Sequence[float]) -> Iterator[Box]:
    """The parts of a box that lie in the web map, cut at the antimeridian."""
    west, south, east, north = bounds
    south, north = max(south, -_MERCATOR_LATITUDE), min(north, _MERCATOR_LATITUDE)
    if south >= north:
        return
    for part_west, part_east in [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]:
        if part_west < part_east:
            yield part_west, south, part_east, north


def _index_zoom(minzoom: int, boxes: Sequence[Box]) -> int:
    """The zoom that tiles are listed at: the least that is served, or less where the list would be too long."""
    zoom = minzoom
    while zoom > 0 and sum(_tiles(box, zoom) for box in boxes) > _MOST_TILES:
        zoom -= 1
    return zoom


def _tiles(box: Box, zoom: int) -> int:
    west, south, east, north = box
    northwest, southeast = WEB_MAP.tile(west, north, zoom), WEB_MAP.tile(east, south, zoom)
    return int((southeast.x - northwest.x + 1) * (southeast.y - northwest.y + 1))


def _quadkeys(box: Box, zoom: int) -> Iterator[str]:
    """The tiles that a box meets, as Bing names them."""
    return (WEB_MAP.quadkey(tile) for tile in WEB_MAP.tiles(*box, zooms=[zoom]))
