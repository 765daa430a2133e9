"""Which pixels of a raster are in which cells, and by which share.

By centres: a pixel is in the cell that the library says its centre is in, exactly. Most need not be asked one by one: cells are
burnt into the raster's own grid as polygons, and only pixels beside the edge between two are looked up. By area: the share of a
pixel that the cell's polygon covers in the raster's CRS (exactextract).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import exactextract
import geopandas
import h3.api.numpy_int as h3
import numpy as np
import pyproj
import shapely
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from rasterio import features
from rasterio.windows import Window, bounds
from rasterio.windows import transform as window_transform
from shapely.affinity import translate

from workers.errors import TaskError
from workers.h3 import cells as h3_cells
from workers.h3.cells import Cells

Weighting = Literal["center", "area"]
Array = NDArray[Any]

_MOST_PIXELS = 1 << 21
"""Of a window: what is held at a time is a few arrays of this length."""
_FEW_PIXELS = 64
"""Cells of fewer are not worth burning: most of their pixels are at an edge."""
_POLAR = 80.0
"""From this latitude on, straight lines between a few points of an edge are not near enough to it."""
_TORN = 10.0
_LONGITUDES = (-360.0, 0.0, 360.0)


@dataclass(frozen=True)
class Share:
    """Pixels of a window and the cells that they are in: positions in each, and by how much; NULL weights are all one."""

    window: Window
    pixels: Array
    zones: Array
    weights: Array | None


class Zones:
    """Cells of one resolution, in order, on the grid of a raster."""

    def __init__(self, dataset: Any, cells: Cells, resolution: int) -> None:
        self._dataset = dataset
        self._cells = cells
        self._resolution = resolution
        self._crs = pyproj.CRS.from_user_input(dataset.crs.to_wkt())
        self._to_raster = pyproj.Transformer.from_crs(4326, self._crs, always_xy=True)
        self._to_degrees = pyproj.Transformer.from_crs(self._crs, 4326, always_xy=True)
        self._shapes, self._zones, self._polar = self._placed()

    def shares(self, weighting: Weighting, check: Callable[[], None]) -> Iterator[Share]:
        """The shares of all cells, window by window; no pixel is in two windows."""
        tree = shapely.STRtree(self._shapes)
        for window in self._windows():
            check()
            near = np.sort(tree.query(shapely.box(*bounds(window, self._dataset.transform))))
            if len(near):
                yield (self._by_area if weighting == "area" else self._by_centre)(window, near)

    def _placed(self) -> tuple[Array, Array, bool]:
        """The cells as polygons in the raster's CRS, the position of each one's cell, and whether any is near a pole."""
        steps = self._steps()
        rings = [_densified(np.asarray(h3.cell_to_boundary(cell), dtype=np.float64)[:, ::-1], steps) for cell in self._cells.tolist()]
        polar = any(np.abs(ring[:, 1]).max() > _POLAR for ring in rings)
        west, _, east, _ = self._dataset.bounds
        turned = self._crs.is_geographic and (west < -180 or east > 180)
        # One by one only what crosses the antimeridian, or may be met on more than one turn around the earth.
        crossing = np.array([np.ptp(ring[:, 0]) > 180 for ring in rings], dtype=np.bool_)
        odd = crossing & self._crs.is_geographic | turned
        plain = [ring for ring, is_odd in zip(rings, odd.tolist(), strict=True) if not is_odd]
        shapes, zones = self._plain(plain), np.flatnonzero(~odd)[: len(plain)]
        known = ~shapely.is_missing(shapes)
        boxes = shapely.bounds(shapes[known & crossing[zones]])
        # In a projection of the whole world a cell across its edge comes out as wide as that.
        self._torn = turned or bool((boxes[:, 2] - boxes[:, 0] > _TORN * (boxes[:, 3] - boxes[:, 1])).any())
        extra = [(shape, zone) for zone in np.flatnonzero(odd).tolist() for shape in self._cut(rings[zone])]
        return (
            np.concatenate([shapes[known], np.array([shape for shape, _ in extra], dtype=object)]),
            np.concatenate([zones[known], np.array([zone for _, zone in extra], dtype=np.int64)]),
            polar,
        )

    def _plain(self, rings: list[Array]) -> Array:
        """Rings of longitude and latitude as polygons; none where the CRS has no place for one."""
        if not rings:
            return np.empty(0, dtype=object)
        closed = [np.concatenate([ring, ring[:1]]) for ring in rings]
        points = np.concatenate(closed)
        places = np.repeat(np.arange(len(closed)), [len(ring) for ring in closed])
        x, y = self._to_raster.transform(points[:, 0], points[:, 1])
        wrong = np.unique(places[~(np.isfinite(x) & np.isfinite(y))])
        finite = ~np.isin(places, wrong)
        shapes = np.full(len(rings), None, dtype=object)
        kept = np.unique(places[finite])
        indices = np.searchsorted(kept, places[finite])
        if len(kept):
            shapes[kept] = shapely.polygons(shapely.linearrings(np.column_stack([x[finite], y[finite]]), indices=indices))
        return shapes

    def _cut(self, corners: Array) -> Iterator[Any]:
        """The parts of a cell on a map in degrees, on each turn around the earth that the raster is on."""
        west, _, east, _ = self._dataset.bounds
        for part in h3_cells.polygons(h3_cells.cut(h3_cells.closed(corners))):
            points = np.asarray(part.exterior.coords)
            x, y = self._to_raster.transform(points[:, 0], points[:, 1])
            # A change of datum may bring a point across the antimeridian.
            x += 360 * np.round((points[:, 0] - x) / 360)
            placed = shapely.Polygon(np.column_stack([x, y]))
            for turn in _LONGITUDES:
                if x.min() + turn < east and x.max() + turn > west:
                    yield translate(placed, turn)

    def _steps(self) -> int:
        """Points for each edge: so many that the lines between them are within a twentieth of a pixel of the arc."""
        edge = h3.average_hexagon_edge_length(self._resolution, "km")
        transform, unit = (
            self._dataset.transform,
            111.0 if self._crs.is_geographic else self._crs.axis_info[0].unit_conversion_factor / 1000,
        )
        pixel = math.sqrt(abs(transform.determinant)) * unit
        bulge = edge * edge / (8 * 6371.0)
        return min(64, max(1, math.ceil(2 * math.sqrt(bulge / (0.05 * pixel)))))

    def _windows(self) -> Iterator[Window]:
        near = shapely.bounds(self._shapes[shapely.intersects(self._shapes, shapely.box(*self._dataset.bounds))])
        if not len(near):
            return
        (west, south), (east, north) = near[:, :2].min(axis=0), near[:, 2:].max(axis=0)
        corners = [~self._dataset.transform * corner for corner in ((west, south), (west, north), (east, south), (east, north))]
        columns, rows = [column for column, _ in corners], [row for _, row in corners]
        left, right = max(0, math.floor(min(columns)) - 1), min(self._dataset.width, math.ceil(max(columns)) + 1)
        top, bottom = max(0, math.floor(min(rows)) - 1), min(self._dataset.height, math.ceil(max(rows)) + 1)
        width = min(right - left, _MOST_PIXELS)
        height = max(1, _MOST_PIXELS // max(1, width))
        for row in range(top, bottom, height):
            for column in range(left, right, max(1, width)):
                yield Window(column, row, min(width, right - column), min(height, bottom - row))

    def _by_centre(self, window: Window, near: Array) -> Share:
        transform = window_transform(window, self._dataset.transform)
        shape = (int(window.height), int(window.width))
        pixel = abs(self._dataset.transform.determinant)
        if self._polar or self._torn or shapely.area(self._shapes[near]).mean() < _FEW_PIXELS * pixel:
            labels = np.full(shape, -1, dtype=np.int32)
            unsure = self._inside(near, shape, transform)
        else:
            burnt = zip(self._shapes[near], (self._zones[near] + 1).tolist(), strict=True)
            labels = features.rasterize(burnt, out_shape=shape, transform=transform, fill=0, dtype="int32") - 1
            unsure = _at_edges(labels)
        rows, columns = np.nonzero(unsure)
        if len(rows):
            x, y = transform * (columns + 0.5, rows + 0.5)
            labels[rows, columns] = self._looked_up(x, y)
        pixels = np.flatnonzero(labels >= 0)
        return Share(window, pixels, labels.ravel()[pixels], None)

    def _inside(self, near: Array, shape: tuple[int, int], transform: Any) -> Array:
        """Pixels that may have their centres in some of the cells."""
        unsure = np.zeros(shape, dtype=np.bool_)
        boxes = shapely.bounds(self._shapes[near])
        inverse = ~transform
        first, second = (inverse * (boxes[:, x], boxes[:, y]) for x, y in ((0, 1), (2, 3)))
        for left, top, right, bottom in zip(*np.minimum(first, second), *np.maximum(first, second), strict=True):
            unsure[
                max(0, math.floor(top) - 1) : max(0, math.ceil(bottom) + 1), max(0, math.floor(left) - 1) : max(0, math.ceil(right) + 1)
            ] = True
        return unsure

    def _looked_up(self, x: Array, y: Array) -> Array:
        """The positions of the cells of points, -1 where that is none of ours."""
        longitudes, latitudes = self._to_degrees.transform(x, y)
        known = np.isfinite(longitudes) & np.isfinite(latitudes)
        found = np.zeros(len(known), dtype=np.uint64)
        points = zip(latitudes[known].tolist(), longitudes[known].tolist(), repeat(self._resolution), strict=False)
        found[known] = np.fromiter((h3.latlng_to_cell(*point) for point in points), dtype=np.uint64, count=int(known.sum()))
        return positions(self._cells, found)

    def _by_area(self, window: Window, near: Array) -> Share:
        if self._torn:
            raise TaskError(
                "AREA_ACROSS_THE_EDGE", "Cells lie across the edge of the raster's map, where they have no area", category="user",
                field="h3.weighting", value="area", remediation="Use weighting center, or a raster between -180 and 180 degrees",
            )  # fmt: skip
        west, south, east, north = bounds(window, self._dataset.transform)
        wkt = self._crs.to_wkt()
        raster = NumPyRasterSource(
            np.zeros((int(window.height), int(window.width)), dtype=np.float32), west, south, east, north, srs_wkt=wkt
        )
        zones = geopandas.GeoDataFrame({"zone": self._zones[near]}, geometry=list(self._shapes[near]), crs=wkt)
        covered = exactextract.exact_extract(raster, zones, ["cell_id", "coverage"], include_cols=["zone"], output="pandas")
        lengths = [len(pixels) for pixels in covered["cell_id"]]
        pixels, weights = np.concatenate(covered["cell_id"].to_list()), np.concatenate(covered["coverage"].to_list())
        return Share(window, pixels.astype(np.int64), np.repeat(covered["zone"].to_numpy(), lengths), weights.astype(np.float64))


def positions(cells: Cells, found: Cells) -> Array:
    """The positions of some cells in others that are in order, -1 where they are not there."""
    if not len(cells):
        return np.full(len(found), -1, dtype=np.int64)
    places = np.minimum(np.searchsorted(cells, found), len(cells) - 1)
    return np.where(cells[places] == found, places, -1)


def _at_edges(labels: Array) -> Array:
    """Pixels that have a neighbour, across a corner too, of another cell or of none."""
    padded = np.pad(labels, 1, mode="edge")
    unsure = np.zeros(labels.shape, dtype=np.bool_)
    height, width = labels.shape
    for row, column in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        unsure |= padded[row : row + height, column : column + width] != labels
    return unsure


def _densified(corners: Array, steps: int) -> Array:
    """Points along the arcs between corners."""
    if steps == 1:
        return corners
    longitudes, latitudes = np.radians(corners[:, 0]), np.radians(corners[:, 1])
    on_sphere = np.column_stack([np.cos(latitudes) * np.cos(longitudes), np.cos(latitudes) * np.sin(longitudes), np.sin(latitudes)])
    share = (np.arange(steps) / steps)[:, None]
    between = [a + share * (b - a) for a, b in zip(on_sphere, np.roll(on_sphere, -1, axis=0), strict=True)]
    points = np.concatenate(between)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return np.column_stack([np.degrees(np.arctan2(points[:, 1], points[:, 0])), np.degrees(np.arcsin(points[:, 2]))])


def parents_of(dataset: Any, resolution: int, finest: int) -> tuple[int, list[int]]:
    """A resolution of parents, below each of which lies a fair share of a raster, and those that may have some of it."""
    crs = pyproj.CRS.from_user_input(dataset.crs.to_wkt())
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    unit = 111.0 if crs.is_geographic else crs.axis_info[0].unit_conversion_factor / 1000
    pixel = abs(dataset.transform.determinant) * unit * unit
    chosen = max(0, finest - 5)
    while chosen < resolution and h3.average_hexagon_area(chosen, "km^2") > pixel * 2 * _MOST_PIXELS:
        chosen += 1
    # Four points for the width of a parent: none is missed with its neighbours.
    step = math.sqrt(h3.average_hexagon_area(chosen, "km^2") / pixel) / 4
    columns = np.linspace(0, dataset.width, max(5, math.ceil(dataset.width / step) + 1))
    rows = np.linspace(0, dataset.height, max(5, math.ceil(dataset.height / step) + 1))
    x, y = dataset.transform * tuple(one.ravel() for one in np.meshgrid(columns, rows))
    longitudes, latitudes = to_degrees.transform(x, y)
    known = np.isfinite(longitudes) & np.isfinite(latitudes)
    met = {h3.latlng_to_cell(lat, lng, chosen) for lat, lng in zip(latitudes[known], longitudes[known], strict=True)}
    return chosen, sorted({int(cell) for one in met for cell in h3.grid_disk(one, 1)})
