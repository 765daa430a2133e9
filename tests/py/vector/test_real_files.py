"""Real files, from the client's request to the rows that it reads."""

from __future__ import annotations

import pytest

from tests.py.support.stac_extensions import problems
from tests.py.vector.conftest import Mill


def test_countries(mill: Mill) -> None:
    countries = mill.ingest(mill.place("naturalearth_lowres.shp"), title="Countries", license="CC0-1.0", indexes=["iso_a3"])
    assert countries.value("count(*)") == 177
    assert countries.value("bool_and(ST_IsValid(geom) AND ST_SRID(geom) = 4326 AND GeometryType(geom) = 'MULTIPOLYGON')")
    [fiji] = countries.rows(
        "name, pop_est, source_file, source_format, source_crs, stac_item_id, stac_collection_id, etl_batch_id", "WHERE name = 'Fiji'"
    )
    assert fiji["source_file"] == "naturalearth_lowres.shp"
    assert (fiji["source_format"], fiji["source_crs"], fiji["etl_batch_id"]) == ("shp", "EPSG:4326", "0")
    assert fiji["stac_collection_id"] == "ddh_vectors"
    report = countries.report
    assert (report["rows"], report["rejected"], report["geometry_type"]) == (177, 0, "MULTIPOLYGON")
    assert report["bbox"] == pytest.approx([-180, -90, 180, 83.64513])
    item = countries.status["stac_metadata"]
    assert item["properties"]["table:row_count"] == 177
    assert item["properties"]["proj:code"] == "EPSG:4326"
    assert item["stac_version"] == "1.1.0"
    assert problems(item, "item") == []
    [row] = mill.rows("SELECT content FROM pgstac.collections WHERE id = 'ddh_vectors'")
    assert problems(row["content"], "collection") == []


def test_counties_in_nad27(mill: Mill) -> None:
    for name in ("nc.gpkg", "nc.shp"):
        counties = mill.ingest(mill.place(name))
        assert counties.value("count(*)") == 100
        assert counties.report["source"]["crs"] == "EPSG:4267"
        # Some are islands and mainland, the others were promoted.
        assert counties.value("count(*) FILTER (WHERE ST_NumGeometries(geom) > 1)") > 0
        assert counties.value("count(DISTINCT GeometryType(geom))") == 1
        assert counties.report["columns"][0] == {"name": "area", "type": "double precision", "original": "AREA"}


def test_zipped_shapefile(mill: Mill) -> None:
    assert mill.ingest(mill.zip(mill.place("nc.shp"))).value("count(*)") == 100


def test_curves_become_lines(mill: Mill) -> None:
    curve = mill.ingest(mill.place("curve.gpkg"))
    assert curve.value("bool_and(GeometryType(geom) = 'MULTILINESTRING')")
    assert "CURVES_LINEARISED" in curve.warnings


def test_heights_and_measures(mill: Mill) -> None:
    flat = mill.ingest(mill.place("line_zm.gpkg"))
    assert flat.value("ST_NDims(geom)") == 2
    assert {"Z_DROPPED", "M_DROPPED"} <= set(flat.warnings)
    high = mill.ingest(mill.place("line_zm.gpkg"), keep_z=True)
    assert high.value("ST_Zmflag(geom)") == 2
    assert high.report["geometry_type"] == "MULTILINESTRINGZ"


def test_nulls_of_every_type(mill: Mill) -> None:
    nulls = mill.ingest(mill.place("test_gpkg_nulls.gpkg"))
    rows = nulls.rows()
    assert len(rows) == 4
    assert sum(row["col_bool"] is None for row in rows) == 1
    types = {column["name"]: column["type"] for column in nulls.report["columns"]}
    assert (types["col_bool"], types["col_int16"], types["col_float32"]) == ("boolean", "smallint", "real")
    assert nulls.report["geometry_type"] == "POINT"


def test_a_row_without_geometry_stays_a_row(mill: Mill) -> None:
    lines = mill.ingest(mill.place("null_geom.geojson"))
    assert lines.value("count(*) FILTER (WHERE geom IS NULL)") == 1
    assert lines.value("count(*)") == 2
    assert "GEOMETRIES_MISSING" in lines.warnings
