"""From a file to a table to a GeoPackage: the same geometries and attributes as in the file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely
from psycopg import sql

from tests.py.vector.conftest import Ingested, Mill

HOLED = shapely.Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(1, 1), (1, 2), (2, 2), (2, 1)]])
MIXED = gpd.GeoDataFrame(
    {
        "name": ["Ñandú", 'quoted "x", y', None],
        "number": [1, -(2**31), 7],
        "size": [0.1, 1e10, -2.5],
        "at": pd.to_datetime(["2024-02-29T12:30:15Z", "1969-12-31T23:59:59Z", "2024-02-28T00:00:00Z"]),
    },
    geometry=[shapely.MultiPolygon([HOLED, shapely.box(20, 20, 21, 21)]), shapely.box(-179, -89, 179, 89), shapely.box(1 / 3, 1 / 7, 1, 1)],
    crs=4326,
)
COMPARED = (str, int, float, type(None))
"""Types of the values that are looked at in real files."""
WITHOUT_TIMES = {"shp", "csv", "kml"}
"""Formats that have no times, or that this one writes as texts."""


def to_geopackage(done: Ingested, folder: Path) -> gpd.GeoDataFrame:
    """The table as GDAL writes it to a GeoPackage and reads it again."""
    names = [column["name"] for column in done.report["columns"]]
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    rows = done.rows(sql.SQL("{}, ST_AsBinary(geom) AS wkb, objectid").format(listed))
    shapes = shapely.from_wkb([None if row["wkb"] is None else bytes(row["wkb"]) for row in rows])
    frame = gpd.GeoDataFrame({name: [row[name] for row in rows] for name in names}, geometry=shapes, crs=done.report["srid"])
    path = folder / "back.gpkg"
    frame.to_file(path, driver="GPKG", index=False)
    return pyogrio.read_dataframe(path)


def same(one: Any, other: Any) -> bool:
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    if isinstance(one, datetime):
        return bool(one == (other if other.tzinfo else other.replace(tzinfo=UTC)))
    return bool(one == other)


def require_equal(truth: gpd.GeoDataFrame, found: gpd.GeoDataFrame, *, grid: float = 0.0) -> None:
    """Row by row, in the order of the table."""
    assert len(truth) == len(found)
    for one, other in zip(truth.geometry, found.geometry, strict=True):
        if one is None or one.is_empty:
            assert other is None or other.is_empty
            continue
        # The table makes singles multi and winds rings its way: the same points in the same rings is the same geometry.
        as_multi = {"Polygon": shapely.MultiPolygon, "LineString": shapely.MultiLineString}
        single = one.geom_type in as_multi and other.geom_type != one.geom_type
        assert shapely.equals_exact(as_multi[one.geom_type]([one]) if single else one, other, tolerance=grid, normalize=True)
    for name in truth.columns.drop("geometry"):
        assert all(map(same, truth[name], found[name.lower()])), name


def write_csv(path: Path) -> None:
    frame = pd.DataFrame(MIXED.drop(columns=["geometry", "at"]))
    frame.assign(wkt=shapely.to_wkt(MIXED.geometry, rounding_precision=-1)).to_csv(path, index=False, sep=";")


def write_geojson(path: Path) -> None:
    path.write_text(MIXED.assign(at=MIXED["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_json())


@pytest.mark.parametrize(
    "suffix", ["gpkg", "geojson", "parquet", "csv", *(pytest.param(one, marks=pytest.mark.slow) for one in ("fgb", "shp", "gdb", "sqlite"))]
)
def test_each_format_that_can(mill: Mill, tmp_path: Path, suffix: str) -> None:
    path = mill.sources / f"trip.{suffix}"
    truth = MIXED.drop(columns="at") if suffix in WITHOUT_TIMES else MIXED
    match suffix:
        case "csv":
            write_csv(path)
        case "geojson":
            write_geojson(path)
        case "parquet":
            truth.to_parquet(path)
        case _:
            pyogrio.write_dataframe(truth, path, driver={"gdb": "OpenFileGDB", "sqlite": "SQLite"}.get(suffix), promote_to_multi=True)
    done = mill.ingest(path, **({"source_crs": "EPSG:4326"} if suffix == "csv" else {}))
    # FlatGeobuf has an order of its own; a File Geodatabase a grid for coordinates; WKT is written with 16 digits.
    found = to_geopackage(done, tmp_path).set_index("number", drop=False).loc[truth["number"]].reset_index(drop=True)
    require_equal(truth, found, grid={"gdb": 1e-8, "csv": 1e-14}.get(suffix, 0.0))


@pytest.mark.parametrize("name", ["naturalearth_lowres.shp", "nc.shp", "nc.gpkg"])
def test_real_files(mill: Mill, tmp_path: Path, name: str) -> None:
    path = mill.place(name)
    truth = pyogrio.read_dataframe(path)
    truth = truth.drop(columns=[column for column in truth.columns.drop("geometry") if not truth[column].map(type).isin(COMPARED).all()])
    valid = truth.geometry.is_valid | truth.geometry.isna()
    # In its own CRS, so that nothing is transformed.
    done = mill.ingest(path, target_crs=f"EPSG:{truth.crs.to_epsg()}")
    found = to_geopackage(done, tmp_path)
    assert done.report["repaired"] == (~valid).sum()
    require_equal(truth[valid].reset_index(drop=True), found[valid.to_numpy()].reset_index(drop=True))
