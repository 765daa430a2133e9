"""Vector files to measure with, made once and kept below GEOMILL_HOME: polygons in a GeoPackage, a shapefile, GeoJSON; points."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
from numpy.typing import NDArray

from codegen.connection import home

VERTICES = 17
_BATCH = 100_000
_POLYGON = np.dtype(
    [("order", "u1"), ("type", "<u4"), ("rings", "<u4"), ("points", "<u4"), ("coordinates", "<f8", (VERTICES, 2))], align=False
)
_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("coordinates", "<f8", (2,))], align=False)
_DRIVERS = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}


def folder() -> Path:
    """Where they are."""
    return home() / "bench" / "layers"


def layer(rows: int, suffix: str = ".gpkg", geometry: str = "Polygon") -> Path:
    """A file of as many features: a grid of ragged circles (about 290 bytes each), or of points, with five columns."""
    path = folder() / f"{geometry.lower()}s_{rows}{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent / f"unfinished{suffix}"
        for left in path.parent.glob("unfinished.*"):
            left.unlink()
        _write(unfinished, rows, geometry)
        for part in path.parent.glob("unfinished.*"):
            part.rename(path.with_suffix(part.suffix))
    return path


def size(path: Path) -> int:
    """Bytes of the file and of what belongs to it."""
    parts = path.parent.glob(f"{path.stem}.*") if path.suffix == ".shp" else [path]
    return sum(part.stat().st_size for part in parts if part.suffix in (path.suffix, ".shx", ".dbf", ".prj", ".cpg"))


def _write(path: Path, rows: int, geometry: str) -> None:
    for start in range(0, rows, _BATCH):
        table = _table(np.arange(start, min(start + _BATCH, rows)), rows, geometry)
        pyogrio.write_arrow(
            table, path, layer=path.stem, driver=_DRIVERS[path.suffix], geometry_name="geometry", geometry_type=geometry, crs="EPSG:4326",
            append=start > 0,
        )  # fmt: skip


def _table(numbers: NDArray[np.int64], rows: int, geometry: str) -> pa.Table:
    side = math.ceil(math.sqrt(rows))
    x = np.asarray(numbers % side * (340 / side) - 170, dtype=np.float64)
    y = np.asarray(numbers // side * (160 / side) - 80, dtype=np.float64)
    return pa.table(
        {
            "code": numbers,
            "name": pa.array([f"feature number {number}" for number in numbers]),
            "kind": pa.array(np.array(["forest", "meadow", "lake", "settlement"], dtype=object)[numbers % 4]),
            "area": numbers * 0.75,
            "day": pa.array(numbers % 20_000, type=pa.int32()).cast(pa.date32()),
            "geometry": _polygons(x, y, 60 / side) if geometry == "Polygon" else _points(x, y),
        }
    )


def _polygons(x: NDArray[np.float64], y: NDArray[np.float64], radius: float) -> pa.Array:
    shapes = np.zeros(len(x), dtype=_POLYGON)
    shapes["order"], shapes["type"], shapes["rings"], shapes["points"] = 1, 3, 1, VERTICES
    angle = np.linspace(0, 2 * np.pi, VERTICES)
    angle[-1] = 0
    ragged = radius * (1 + 0.3 * np.cos(5 * angle))
    shapes["coordinates"][:, :, 0] = x[:, np.newaxis] + ragged * np.cos(angle)
    shapes["coordinates"][:, :, 1] = y[:, np.newaxis] + ragged * np.sin(angle)
    return _wkb(shapes)


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> pa.Array:
    shapes = np.zeros(len(x), dtype=_POINT)
    shapes["order"], shapes["type"] = 1, 1
    shapes["coordinates"][:, 0], shapes["coordinates"][:, 1] = x, y
    return _wkb(shapes)


def _wkb(shapes: NDArray[np.void]) -> pa.Array:
    offsets = np.arange(len(shapes) + 1, dtype=np.int32) * shapes.dtype.itemsize
    return pa.Array.from_buffers(pa.binary(), len(shapes), [None, pa.py_buffer(offsets), pa.py_buffer(shapes.tobytes())])
