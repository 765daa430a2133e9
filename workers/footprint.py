"""Where on Earth something lies: a GeoJSON geometry in EPSG:4326 and its bounding box, right across the antimeridian.

The outline is followed point by point, so that a projected edge keeps its curve, and longitudes are made continuous along
it. What then runs beyond 180° is cut there (RFC 7946, 3.1.9) and its box has west > east. An outline that closes one turn
further than it began goes around a pole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry import MultiPolygon, Polygon, box, mapping

Floats = NDArray[np.float64]

_POINTS_AN_EDGE = 64
_DECIMALS = 7  # a centimetre
_SIMPLIFY = 1e-5  # of the outline's size
_WGS84 = CRS.from_epsg(4326)


class NoFootprintError(ValueError):
    """The outline has no place on Earth: its coordinates are not of its CRS."""


@dataclass(frozen=True)
class Footprint:
    """A GeoJSON geometry in EPSG:4326 and its bounding box [west, south, east, north]; west > east across the antimeridian."""

    geometry: dict[str, Any]
    bbox: list[float]


def of_bounds(west: float, south: float, east: float, north: float) -> Footprint:
    """The footprint of a box in EPSG:4326. West > east, or east > 180, is across the antimeridian. A point or a line is widened."""
    east = east + 360 if west > east else east
    thin = 10.0**-_DECIMALS
    east, north = max(east, west + thin), max(north, south + thin)
    return _of_outline(np.array([west, east, east, west]), np.array([south, south, north, north]), unwrap=False)


def of_box(bounds: Sequence[float], crs: CRS) -> Footprint:
    """The footprint of a box in another CRS."""
    west, south, east, north = bounds
    return of_grid(crs, Affine(east - west, 0, west, 0, south - north, north), 1, 1)


def of_grid(crs: CRS, transform: Affine, width: int, height: int) -> Footprint:
    """The footprint of a raster: of its outer edge, or of the part of it that its projection can place."""
    to_lonlat = _to_lonlat(crs)
    steps = np.linspace(0, 1, _POINTS_AN_EDGE, endpoint=False)
    ones, zeros = np.ones_like(steps), np.zeros_like(steps)
    lon, lat = _placed(
        to_lonlat,
        transform,
        np.concatenate([steps, ones, 1 - steps, zeros]) * width,
        np.concatenate([zeros, steps, ones, 1 - steps]) * height,
    )
    if np.isfinite(lon).all():
        return _of_outline(lon, lat, unwrap=True)
    # Corners outside the projection (a whole-Earth ellipse, a disc): the box of what lies inside.
    columns, rows = np.meshgrid(np.linspace(0, width, _POINTS_AN_EDGE), np.linspace(0, height, _POINTS_AN_EDGE))
    lon, lat = _placed(to_lonlat, transform, columns.ravel(), rows.ravel())
    inside = np.isfinite(lon) & np.isfinite(lat)
    if not inside.any():
        raise NoFootprintError("no part of it can be placed in EPSG:4326")
    return of_bounds(float(lon[inside].min()), float(lat[inside].min()), float(lon[inside].max()), float(lat[inside].max()))


@lru_cache(maxsize=64)
def _to_lonlat(crs: CRS) -> Transformer:
    return Transformer.from_crs(crs, _WGS84, always_xy=True)


def _placed(to_lonlat: Transformer, transform: Affine, columns: Floats, rows: Floats) -> tuple[Floats, Floats]:
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    lon, lat = to_lonlat.transform(x, y)
    lon, lat = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    unplaced = ~(np.isfinite(lon) & np.isfinite(lat))
    return np.where(unplaced, np.nan, lon), np.where(unplaced, np.nan, lat)


def _of_outline(lon: Floats, lat: Floats, *, unwrap: bool) -> Footprint:
    """The footprint of an open ring. unwrap: its points are so close together that a jump of 180° is a wrap."""
    if not (np.abs(lat) <= 91).all() or not (np.abs(lon) <= 720).all():
        raise NoFootprintError(f"it spans longitudes {lon.min():g} to {lon.max():g} and latitudes {lat.min():g} to {lat.max():g}")
    # Grids of pixel centres reach half a pixel beyond the poles.
    lat = np.clip(lat, -90, 90)
    turn = 0.0
    if unwrap:
        lon = np.unwrap(lon, period=360)
        turn = float(np.unwrap(np.array([lon[-1], lon[0]]), period=360)[1] - lon[0])
    around_pole = abs(turn) > 180
    if around_pole:
        pole = 90.0 if lat.mean() > 0 else -90.0
        lon, lat = np.append(lon, [lon[0] + turn, lon[0] + turn, lon[0]]), np.append(lat, [lat[0], pole, pole])
    lon = lon - 360 * np.floor((lon.min() + 180) / 360)
    west, south, east, north = float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())
    whole_turn = [-180.0, south, 180.0, north] if east - west >= 360 - 1e-6 else None
    if whole_turn and not around_pole:
        return _as_footprint([box(*whole_turn)], whole_turn)
    outline = Polygon(np.column_stack([lon, lat]))
    outline = outline.simplify(_SIMPLIFY * max(east - west, north - south))
    if not outline.is_valid:
        outline = shapely.make_valid(outline)
    if east <= 180:
        return _as_footprint(_polygons(outline), [west, south, east, north])
    sides = _polygons(shapely.intersection(outline, box(-180, -90, 180, 90)))
    beyond = _polygons(shapely.transform(shapely.intersection(outline, box(180, -90, 540, 90)), lambda xy: xy - [360, 0]))
    if whole_turn:
        # Where the outline began, its two ends meet again.
        return _as_footprint(_polygons(shapely.union_all([*sides, *beyond])), whole_turn)
    return _as_footprint([*sides, *beyond], [west, south, east - 360, north])


def _polygons(shape: Any) -> list[Polygon]:
    return [part for part in shapely.get_parts(shape) if isinstance(part, Polygon) and part.area > 0]


def _as_footprint(polygons: list[Polygon], bbox: Sequence[float]) -> Footprint:
    rounded = [Polygon(np.round(shapely.get_coordinates(part.exterior), _DECIMALS)) for part in polygons]
    # RFC 7946: outer rings run counterclockwise.
    turned = [shapely.geometry.polygon.orient(part) for part in rounded]
    shape = turned[0] if len(turned) == 1 else MultiPolygon(turned)
    geometry = mapping(shape)
    return Footprint(
        {"type": geometry["type"], "coordinates": _lists(geometry["coordinates"])}, [round(float(edge), _DECIMALS) for edge in bbox]
    )


def _lists(value: Any) -> Any:
    return [_lists(part) for part in value] if isinstance(value, tuple | list) else float(value)
