"""The layer in a GeoJSON file: its columns by what every feature holds, its geometries as WKB."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from codegen.messages.vector import Chunk, VectorPlan
from workers.errors import TaskError
from workers.geo_table import ColumnType, SourceColumn
from workers.vector import geojson, widening, wkb
from workers.vector.alterations import READ_AS_LATIN1, Alterations
from workers.vector.batches import Batch, Reject, Values
from workers.vector.formats import Format
from workers.vector.geojson import Broken, Piece
from workers.vector.layer import Layer, Place
from workers.vector.source import Dataset
from workers.vector.widening import Seen
from workers.vector.wkb import Kinds

DEFAULT_CRS = "EPSG:4326"
_ID = "id"
_CODES = {"Point": 1, "LineString": 2, "Polygon": 3, "MultiPoint": 4, "MultiLineString": 5, "MultiPolygon": 6, "GeometryCollection": 7}
_PARTS = {"MultiPoint": "Point", "MultiLineString": "LineString", "MultiPolygon": "Polygon"}
_Z = 1000


class UnusableGeometryError(ValueError):
    """Coordinates that are not those of a geometry, and why."""


def describe(dataset: Dataset) -> Layer:
    """What the file holds, by reading all of it."""
    columns: dict[str, Seen] = {}
    ids = Seen()
    has_ids = False
    kinds, count, crs, says_crs, latin = Kinds(), 0, None, False, False
    places: list[Place] = []
    for piece in _read(dataset):
        if isinstance(piece, dict):
            says_crs = "crs" in piece
            crs = _named_crs(piece["crs"]) if says_crs else None
            continue
        places.append(Place(count + len(piece.features), piece.end))
        count += len(piece.features)
        latin |= piece.latin
        rows = [feature for feature in map(_feature, piece.features) if isinstance(feature, dict)]
        _see(columns, [row.get("properties") or {} for row in rows])
        if given := [row["id"] for row in rows if isinstance(row.get("id"), str | int)]:
            ids.add(given)
            has_ids = True
        kinds |= _kinds([row.get("geometry") for row in rows])
    reading = {}
    if has_ids and _ID not in columns:
        columns, reading = {_ID: ids, **columns}, {_ID: "of the feature"}
    return Layer(
        name=dataset.stem,
        columns=[SourceColumn(name, seen.type) for name, seen in columns.items()],
        kinds=kinds,
        features=count,
        records=count,
        crs=crs if says_crs else DEFAULT_CRS,
        crs_is_default=not says_crs,
        encoding="ISO-8859-1" if latin else None,
        fid_column="",
        places=places,
        reading=reading,
    )


def read(dataset: Dataset, plan: VectorPlan, chunk: Chunk, altered: Alterations) -> Generator[Batch, None, None]:
    """The rows of a chunk: ids are positions in the file, from 0."""
    position, end = chunk.start or 0, chunk.end
    for piece in _read(dataset, chunk.offset):
        if isinstance(piece, dict) or (end is not None and position >= end):
            return
        features = piece.features if end is None else piece.features[: end - position]
        yield _batch(features, position, plan, altered, latin=piece.latin)
        position += len(features)


def _read(dataset: Dataset, start: int | None = None) -> Iterator[Piece | dict[str, Any]]:
    if dataset.format is Format.GEOJSON:
        return geojson.collection(dataset.path, start)
    return geojson.lines(dataset.path, start)


def _see(columns: dict[str, Seen], properties: list[dict[str, Any]]) -> None:
    gathered: dict[str, list[Any]] = {}
    for row in properties:
        for name, value in row.items():
            gathered.setdefault(name, []).append(value)
    for name, values in gathered.items():
        columns.setdefault(name, Seen()).add(values)


def _feature(value: Any) -> dict[str, Any] | Broken:
    """A feature; a bare geometry as one without properties."""
    if isinstance(value, Broken):
        return value
    if not isinstance(value, dict):
        return Broken("it is no JSON object")
    kind = value.get("type")
    if kind == "Feature":
        return value if isinstance(value.get("properties"), dict | None) else Broken("its properties are no JSON object")
    return {"type": "Feature", "geometry": value} if kind in _CODES else Broken(f"it is no feature, its type is {str(kind)[:100]!r}")


def _batch(features: list[Any], first: int, plan: VectorPlan, altered: Alterations, *, latin: bool) -> Batch:
    geometries: list[bytes | None] = []
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for position, value in enumerate(features, start=first):
        feature = _feature(value)
        geometry = None
        if isinstance(feature, Broken):
            rejects.append(Reject(position, "FEATURE_UNREADABLE", feature.reason))
            feature = {}
        else:
            try:
                geometry = encode(feature.get("geometry"))
            except UnusableGeometryError as problem:
                rejects.append(Reject(position, "GEOMETRY_UNREADABLE", str(problem)))
        geometries.append(geometry)
        rows.append(feature)
    columns: list[Values | pa.Array] = []
    for column in plan.columns:
        name = column.original
        if name == _ID and _ID in plan.reading:
            values = [row.get(_ID) for row in rows]
        else:
            values = [(row.get("properties") or {}).get(name) for row in rows]
        if latin:
            altered.add(READ_AS_LATIN1, column.name, sum(isinstance(value, str) and not value.isascii() for value in values))
        columns.append(widening.convert(values, ColumnType(column.type), column.name, altered))
    shapes = pa.array(geometries, pa.binary())
    return Batch(
        ids=pa.array(range(first, first + len(features)), pa.int64()),
        geometries=shapes,
        columns=columns,
        kinds=wkb.kinds(shapes),
        rejects=rejects,
    )


def encode(geometry: Any) -> bytes | None:
    """WKB of a geometry; None for null or an empty one."""
    if geometry is None:
        return None
    if not isinstance(geometry, dict) or geometry.get("type") not in _CODES:
        raise UnusableGeometryError("it is no GeoJSON geometry")
    if geometry["type"] == "GeometryCollection":
        members = geometry.get("geometries")
        if not isinstance(members, list):
            raise UnusableGeometryError("its geometries are no array")
        parts = [part for part in map(encode, members) if part is not None]
        return _header("GeometryCollection", 0, len(parts)) + b"".join(parts) if parts else None
    coordinates = geometry.get("coordinates")
    if coordinates == []:
        return None
    try:
        dimensions = 3 if _depth_of_z(coordinates) else 2
        return _encode(str(geometry["type"]), coordinates, dimensions)
    except (TypeError, ValueError, OverflowError, IndexError, RecursionError) as error:
        if isinstance(error, UnusableGeometryError):
            raise
        raise UnusableGeometryError("its coordinates are not those of a geometry of its type") from error


def _encode(kind: str, coordinates: Any, dimensions: int) -> bytes:
    z = _Z if dimensions == 3 else 0
    if kind == "Point":
        return _header(kind, z) + _positions([coordinates], dimensions).tobytes()
    if kind == "LineString":
        if len(coordinates) < 2:
            raise UnusableGeometryError("a line has fewer than two positions")
        return _header(kind, z, len(coordinates)) + _positions(coordinates, dimensions).tobytes()
    if kind == "Polygon":
        return _header(kind, z, len(coordinates)) + b"".join(_ring(ring, dimensions) for ring in coordinates)
    return _header(kind, z, len(coordinates)) + b"".join(_encode(_PARTS[kind], part, dimensions) for part in coordinates)


def _header(kind: str, z: int, count: int | None = None) -> bytes:
    head = struct.pack("<BI", 1, _CODES[kind] + z)
    return head if count is None else head + struct.pack("<I", count)


def _ring(ring: Any, dimensions: int) -> bytes:
    flat = _positions(ring, dimensions)
    if len(ring) < 4 or flat[:dimensions] != flat[-dimensions:]:
        raise UnusableGeometryError("a ring is not closed, or has fewer than four positions")
    return struct.pack("<I", len(ring)) + flat.tobytes()


def _positions(positions: Any, dimensions: int) -> array[float]:
    if set(map(len, positions)) != {dimensions}:
        positions = [_fitted(position, dimensions) for position in positions]
    flat = array("d", chain.from_iterable(positions))
    if not math.isfinite(sum(flat)):
        raise UnusableGeometryError("a coordinate is no finite number")
    return flat


def _fitted(position: list[float], dimensions: int) -> list[float]:
    """A height where others have one, and nothing beyond it."""
    if len(position) < 2:
        raise UnusableGeometryError("a position has fewer than two numbers")
    return position[:dimensions] if len(position) >= dimensions else [*position, 0.0]


def _depth_of_z(coordinates: Any) -> bool:
    """Whether any position has a third number."""
    while isinstance(coordinates[0], list):
        if isinstance(coordinates[0][0], list):
            return any(_depth_of_z(part) for part in coordinates)
        return max(map(len, coordinates)) > 2
    return len(coordinates) > 2


def _kinds(geometries: list[Any]) -> Kinds:
    """What geometries say they are, whether or not loading can use them: it will say what is wrong."""
    types: set[str] = set()
    has_z = False
    for geometry in geometries:
        if geometry is None:
            continue
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        inside = geometry.get("coordinates", geometry.get("geometries")) if kind in _CODES else None
        if inside != []:
            types.add(str(kind).upper() if kind in _CODES else "GEOMETRY")
            has_z = has_z or _seems_high(inside)
    return Kinds(frozenset(types), has_z)


def _seems_high(coordinates: Any) -> bool:
    """Whether the first position has a third number: the others are as it is."""
    while isinstance(coordinates, list) and coordinates:
        if isinstance(coordinates[0], dict):
            coordinates = coordinates[0].get("coordinates")
        elif isinstance(coordinates[0], list):
            coordinates = coordinates[0]
        else:
            return len(coordinates) > 2
    return False


def _named_crs(crs: Any) -> str | None:
    """What the older GeoJSON's member says; null there means that nobody knows."""
    if crs is None:
        return None
    name = crs.get("properties", {}).get("name") if isinstance(crs, dict) and isinstance(crs.get("properties", {}), dict) else None
    if not isinstance(name, str):
        raise TaskError(
            "CRS_UNKNOWN", "The file's crs member does not name a CRS", category="data", field="source_crs",
            remediation="Remove the member and give processing_config.source_crs, or name an EPSG code in it",
        )  # fmt: skip
    return name
