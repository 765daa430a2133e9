"""Cells as shapes on the map, and the cells of a shape.

A shape is in longitude and latitude, between -180 and 180 degrees. A cell that crosses the antimeridian is cut there, one that
holds a pole reaches up to it; so every shape here can be compared with any other as if the earth were flat.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate

from codegen.messages.h3 import Containment
from workers.h3 import overlay

Cells = NDArray[np.uint64]
Points = NDArray[np.float64]

WORLD = shapely.box(-180, -90, 180, 90)
_WIDEST = 90.0
"""No edge of a shape is longer: from 180 degrees on the library takes it for one around the other side."""


def library() -> str:
    """Name and version of what computes cells."""
    versions = h3.versions()
    return f"h3 {versions['python']} (C library {versions['c']})"


def number(cell: str) -> int:
    """A cell from its text."""
    return int(h3.str_to_int(cell))


def text(cell: int) -> str:
    """A cell as text."""
    return str(h3.int_to_str(cell))


def digest(cells: Cells) -> str:
    """The SHA-256 of cells in order, as h3.grid_checksum takes it of the cells of one parent."""
    return hashlib.sha256(np.sort(cells).astype(">i8").tobytes()).hexdigest()


def checksum(digests: Sequence[str]) -> str:
    """h3.grid_checksum of a grid, from the digests of its parents, in their order."""
    return hashlib.sha256(b"".join(bytes.fromhex(one) for one in digests)).hexdigest()


def children(parent: int, resolution: int) -> Cells:
    """The descendants of a cell, in order."""
    return np.sort(np.asarray(h3.cell_to_children(parent, resolution), dtype=np.uint64))


def of_resolution(resolution: int) -> Iterator[int]:
    """All cells there are."""
    for base in h3.get_res0_cells():
        yield from children(base, resolution).tolist()


def ring(cell: int) -> Points:
    """The corners of a cell as longitude and latitude, closed, its longitudes without a jump; around a pole, closed along it."""
    corners = np.asarray(h3.cell_to_boundary(cell), dtype=np.float64)[:, ::-1]
    return closed(corners)


def closed(corners: Points) -> Points:
    """Corners, or points along the edges between them, as `ring` has them."""
    points = np.concatenate([corners, corners[:1]])
    points[:, 0] = np.unwrap(points[:, 0], period=360.0)
    if abs(points[-1, 0] - points[0, 0]) > 180:
        pole = math.copysign(90.0, points[:, 1].mean())
        points = np.concatenate([points, [[points[-1, 0], pole], [points[0, 0], pole], points[0]]])
    return points


def cut(points: Points) -> Any:
    """The shape within a ring, between -180 and 180 degrees."""
    shape = shapely.Polygon(points)
    west, east = points[:, 0].min(), points[:, 0].max()
    if west >= -180 and east <= 180:
        return shape
    parts = [part for turn in (-360.0, 0.0, 360.0) for part in polygons(shapely.intersection(translate(shape, turn), WORLD))]
    # Around a pole two of them share an edge.
    return shapely.union_all(parts)


def shape(cell: int) -> Any:
    """A cell as a multipolygon, for storing."""
    return shapely.MultiPolygon(list(polygons(cut(ring(cell)))))


def polygons(geometry: Any) -> Iterator[Any]:
    """The polygons of a geometry that have an area."""
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon" and part.area > 0:
            yield part
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            yield from polygons(part)


def surroundings(parent: int) -> list[Any]:
    """Boxes that hold a cell and its neighbours, and so all its descendants, which reach a little beyond it; each of a width that
    the library takes as it is meant."""
    rings = [ring(cell) for cell in h3.grid_disk(parent, 1)]
    centre = h3.cell_to_latlng(parent)[1]
    south, north = min(points[:, 1].min() for points in rings), max(points[:, 1].max() for points in rings)
    if any(np.ptp(points[:, 0]) >= 360 for points in rings):
        west, east = -180.0, 180.0
    else:
        longitudes = np.concatenate([points[:, 0] for points in rings])
        turned = centre + (longitudes - centre + 180) % 360 - 180
        west, east = turned.min(), turned.max()
    edges = sorted({west, east, *(edge for edge in (-180.0, 180.0) if west < edge < east)})
    found = []
    for left, right in itertools.pairwise(edges):
        turn = 360.0 if right <= -180 else -360.0 if left >= 180 else 0.0
        pieces = max(1, math.ceil((right - left) / _WIDEST))
        cuts = np.linspace(left + turn, right + turn, pieces + 1)
        found += [shapely.box(a, south, b, north) for a, b in itertools.pairwise(cuts)]
    return found


def within(parent: int, resolution: int, boxes: Sequence[Any], shapes: Sequence[Any], containment: Containment) -> Cells:
    """The descendants of a cell that are in a filter, of which `shapes` is what lies in each of its surrounding boxes."""
    candidates = children(parent, resolution)
    if all(found is None for found in shapes):
        return candidates[:0]
    if all(found is not None and shapely.covers(found, box) for box, found in zip(boxes, shapes, strict=True)):
        return candidates
    if containment == "full":
        # What is all in the filter touches nothing outside; asked so, no cell is lost at the edge between two boxes.
        outside = [box if found is None else overlay.without(box, found) for box, found in zip(boxes, shapes, strict=True)]
        touched = [_filled(outside, candidates, resolution, "overlap"), _first_points(outside, resolution)]
        return candidates[~among(candidates, np.sort(np.concatenate(touched)))]
    return _filled([found for found in shapes if found is not None], candidates, resolution, containment)


def among(some: Cells, others: Cells) -> NDArray[np.bool_]:
    """Which of some cells are among others that are in order."""
    if not len(others):
        return np.zeros(len(some), dtype=np.bool_)
    places = np.minimum(np.searchsorted(others, some), len(others) - 1)
    return np.asarray(others[places] == some)


def _filled(shapes: Sequence[Any], candidates: Cells, resolution: int, contain: str) -> Cells:
    """Those of all descendants of a cell that are in some shapes, in order. Whatever lies between the first and the last is one."""
    found = [candidates[:0]]
    for polygon in (polygon for geometry in shapes for polygon in polygons(geometry)):
        filled = h3.h3shape_to_cells_experimental(_library_shape(polygon), resolution, contain=contain)
        found.append(filled[(filled >= candidates[0]) & (filled <= candidates[-1])])
    # np.unique takes five times as long.
    cells = np.sort(np.concatenate(found))
    return cells[np.flatnonzero(np.diff(cells, prepend=np.uint64(0)))]


def _first_points(shapes: Sequence[Any], resolution: int) -> Cells:
    """The cells where the rings of shapes begin: the library does not see a hole (an island, of what is outside) within one cell."""
    rings = [ring for geometry in shapes for polygon in polygons(geometry) for ring in (polygon.exterior, *polygon.interiors)]
    return np.array([h3.latlng_to_cell(y, x, resolution) for x, y in (ring.coords[0] for ring in rings)], dtype=np.uint64)


def _library_shape(polygon: Any) -> Any:
    rings = [np.asarray(one.coords)[:, 1::-1].tolist() for one in (polygon.exterior, *polygon.interiors)]
    return h3.LatLngPoly(*rings)
