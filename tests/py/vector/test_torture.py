"""What real files do wrong: each bad row is a reject with its reason, each good one is in the table, and nothing is silent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from tests.py.vector.conftest import Mill

SQUARE = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def polygon(*rings: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def collection(*features: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", **members, "features": list(features)}


def test_bad_geometries_are_rejected_one_by_one(mill: Mill) -> None:
    path = mill.write(
        "bad.geojson",
        collection(
            feature({"type": "Polygon", "coordinates": SQUARE}, n="good"),
            feature(polygon([[0, 0], [2, 2], [0, 2], [2, 0], [0, 0]]), n="bow-tie"),
            feature(polygon([[0, 0], [1, 1], [0, 1]]), n="unclosed"),
            feature(polygon([[0, 0], [1, 1]]), n="two points"),
            feature(polygon([[200, 100], [201, 100], [201, 101], [200, 100]]), n="out of range"),
            feature(polygon([[0, 0], [1, 1], [0, 0], [0, 0]]), n="no area"),
            feature({"type": "Polygon", "coordinates": "nonsense"}, n="nonsense"),
            feature({"type": "Point", "coordinates": [1, 2]}, n="point"),
            feature(None, n="null"),
            feature({"type": "Polygon", "coordinates": []}, n="empty"),
        ),
    )
    done = mill.ingest(path, geometry_type="MULTIPOLYGON")
    assert [(row["n"], row["has"]) for row in done.rows("n, geom IS NOT NULL AS has")] == [
        ("good", True), ("bow-tie", True), ("null", False), ("empty", False),
    ]  # fmt: skip
    rejects = {row["properties"]["n"]: row["code"] for row in mill.rejects(done.request_id)}
    assert rejects == {
        "unclosed": "GEOMETRY_UNREADABLE",
        "two points": "GEOMETRY_UNREADABLE",
        "nonsense": "GEOMETRY_UNREADABLE",
        "out of range": "GEOMETRY_OUT_OF_RANGE",
        "no area": "GEOMETRY_NOT_REPAIRABLE",
        "point": "GEOMETRY_TYPE_MISMATCH",
    }
    assert all(row["reason"] and row["source"] == "bad.geojson" for row in mill.rejects(done.request_id))
    report = done.report
    assert (report["read"], report["rows"], report["rejected"], report["repaired"]) == (10, 4, 6, 1)
    assert {"ROWS_REJECTED", "GEOMETRIES_REPAIRED", "GEOMETRIES_MISSING"} <= set(done.warnings)


def test_policies_for_rejects(mill: Mill) -> None:
    good, bad = feature({"type": "Polygon", "coordinates": SQUARE}), feature(polygon([[0, 0], [1, 1]]))
    path = mill.write("policies.geojson", collection(good, bad, bad))
    assert mill.refused(path, on_reject="fail")["code"] == "ROWS_REJECTED"
    assert mill.refused(path, max_rejects=1)["context"] == {"reasons": {"GEOMETRY_UNREADABLE": 2}}
    assert mill.ingest(path, max_rejects=2).value("count(*)") == 1
    assert mill.refused(mill.write("none.geojson", collection(bad)))["code"] == "ROWS_REJECTED"


def test_mixed_types_make_a_generic_column(mill: Mill) -> None:
    path = mill.write(
        "mixed.geojson",
        collection(feature({"type": "Polygon", "coordinates": SQUARE}), feature({"type": "Point", "coordinates": [1, 2]})),
    )
    mixed = mill.ingest(path)
    assert mixed.report["geometry_type"] == "GEOMETRY"
    assert [row["type"] for row in mixed.rows("GeometryType(geom) AS type")] == ["POLYGON", "POINT"]
    assert "GEOMETRY_TYPES_MIXED" in mixed.warnings


def test_single_types_on_request(mill: Mill) -> None:
    single = mill.ingest(mill.place("nc.gpkg"), geometry_type="POLYGON")
    assert single.value("bool_and(GeometryType(geom) = 'POLYGON')")
    rejects = mill.rejects(single.request_id)
    assert {row["code"] for row in rejects} == {"GEOMETRY_TYPE_MISMATCH"}
    assert len(rejects) + single.value("count(*)") == 100
    assert mill.refused(mill.place("nc.gpkg"), geometry_type="POINT")["code"] == "GEOMETRY_TYPE_CONFLICT"


def test_column_names(mill: Mill) -> None:
    names = [
        "a%b",
        "A%B",
        "select",
        "2020",
        "geom",
        "objectid",
        "created_at",
        "xmin",
        "code",
        "g",
        "naïve",
        "x" * 70,
        "x" * 69 + "y",
        '"; --',
        "",
    ]
    path = mill.write("names.geojson", collection(feature({"type": "Point", "coordinates": [1, 2]}, **dict.fromkeys(names, "v"))))
    done = mill.ingest(path, indexes=["select"])
    columns = {column["original"]: column["name"] for column in done.report["columns"]}
    assert list(columns) == names
    assert (columns["a%b"], columns["A%B"]) == ("a_b", "a_b_2")
    assert (columns["2020"], columns["geom"], columns["objectid"], columns["xmin"]) == ("_2020", "geom_2", "objectid_2", "xmin_2")
    assert len(set(columns.values())) == len(names)
    assert max(map(len, columns.values())) == 63
    [row] = done.rows()
    assert {row[name] for name in columns.values()} == {"v"}
    [comment] = mill.rows(
        "SELECT col_description(%s::regclass, attnum) AS comment FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'a_b_2'",
        done.table,
        done.table,
    )
    assert comment["comment"] == "A%B in the source"


def test_values(mill: Mill) -> None:
    point = {"type": "Point", "coordinates": [1, 2]}
    path = mill.write(
        "values.geojson",
        collection(
            feature(
                point, t="2024-02-28T10:00:00+02:00", doc={"a": [1, "\u0000"]}, mixed=1, many=[1, 2], words=["a", "b"], big=2**62, flag=True
            ),
            feature(point, t="2024-02-28T10:00:00Z", doc={}, mixed="text", many=[], words=None, big=1, flag=None),
            feature(point, t="2024-02-28T10:00:00", doc=None, mixed={"x": 1.5}, many=None, words=["ä"], big=None, flag=False),
        ),
    )
    done = mill.ingest(path)
    rows = done.rows("t AT TIME ZONE 'UTC' AS t, doc, mixed, many, words, big, flag")
    assert [str(row["t"]) for row in rows] == ["2024-02-28 08:00:00", "2024-02-28 10:00:00", "2024-02-28 10:00:00"]
    assert [row["mixed"] for row in rows] == [1, "text", {"x": 1.5}]
    assert rows[0]["doc"]["a"][0] == 1
    assert (rows[0]["many"], rows[0]["words"], rows[0]["big"], rows[0]["flag"]) == ([1, 2], ["a", "b"], 2**62, True)
    assert "TIME_ZONE_ASSUMED" in done.warnings


@pytest.fixture
def latin(mill: Mill) -> Path:
    """A shapefile in Latin-1, in UTM, with an invalid polygon."""
    frame = gpd.GeoDataFrame(
        {"name": ["Ñandú", "café"]},
        geometry=[
            shapely.Polygon([(500000, 4649000), (501000, 4649000), (501000, 4650000)]),
            shapely.Polygon([(500000, 4649000), (501000, 4650000), (500000, 4650000), (501000, 4649000)]),
        ],
        crs=32618,
    )
    path = mill.sources / "latin.shp"
    frame.to_file(path, encoding="ISO-8859-1")
    path.with_suffix(".cpg").unlink()
    return path


def test_latin_1_shapefile_in_utm_with_an_invalid_polygon(mill: Mill, latin: Path) -> None:
    done = mill.ingest(latin)
    assert [row["name"] for row in done.rows("name")] == ["Ñandú", "café"]
    assert (done.report["repaired"], done.report["source"]["crs"]) == (1, "EPSG:32618")
    assert done.value("bool_and(ST_IsValid(geom))")
    west, south, east, north = done.report["bbox"]
    assert -75.1 < west < east < -74.9
    assert 41.9 < south < north < 42.1
    assert "ENCODING_ASSUMED" in done.warnings


def test_text_that_is_not_in_the_encoding_the_file_names(mill: Mill, latin: Path) -> None:
    latin.with_suffix(".cpg").write_text("UTF-8")
    done = mill.ingest(latin)
    assert [row["name"] for row in done.rows("name")] == ["Ñandú", "café"]
    assert "ENCODING_WRONG" in done.warnings


def test_crs_without_a_code(mill: Mill) -> None:
    crs = "+proj=tmerc +lat_0=1 +lon_0=-75.3 +k=0.9997 +x_0=1234 +y_0=567 +ellps=WGS84"
    truth = gpd.GeoSeries([shapely.box(-75, 42, -74, 43), shapely.Point(-74.5, 42.5)], crs=4326)
    far = shapely.Point(1e300, 5)
    frame = gpd.GeoDataFrame({"a": [1, 2, 3]}, geometry=[*truth.to_crs(crs), far], crs=crs)
    path = mill.sources / "nocode.gpkg"
    frame.to_file(path)
    done = mill.ingest(path)
    assert done.report["bbox"] == pytest.approx([-75, 42, -74, 43], abs=1e-6)
    assert "tmerc" in done.report["source"]["crs_wkt"].lower() or "transverse" in done.report["source"]["crs_wkt"].lower()
    assert [row["code"] for row in mill.rejects(done.request_id)] == ["GEOMETRY_NOT_TRANSFORMABLE"]
    assert done.rows("a") == [{"a": 1}, {"a": 2}]
    assert "geomill:source_crs_wkt" in done.status["stac_metadata"]["properties"]


def test_crs_of_the_file_and_of_the_request(mill: Mill) -> None:
    path = mill.place("nc.shp")
    assert mill.refused(path, source_crs="EPSG:4326")["code"] == "CRS_CONFLICT"
    assert mill.ingest(path, source_crs="EPSG:4267").value("count(*)") == 100
    path.with_suffix(".prj").unlink()
    error = mill.refused(path)
    assert (error["code"], error["category"]) == ("CRS_MISSING", "data")
    assert mill.ingest(path, source_crs="EPSG:4267").report["source"]["crs"] == "EPSG:4267"
    utm = mill.write("utm.geojson", collection(feature({"type": "Point", "coordinates": [500000, 4649776]})))
    assert mill.ingest(utm, source_crs="EPSG:32618").report["bbox"] == pytest.approx([-75, 42, -75, 42], abs=1e-4)
    assert mill.refused(utm)["code"] == "ROWS_REJECTED"


def test_rows_that_cannot_be_transformed(mill: Mill) -> None:
    frame = gpd.GeoDataFrame({"a": [1, 2]}, geometry=[shapely.Point(500000, 4649776), shapely.Point(1e300, 5)], crs=32618)
    path = mill.sources / "far.gpkg"
    frame.to_file(path)
    done = mill.ingest(path)
    assert done.value("count(*)") == 1
    assert [row["code"] for row in mill.rejects(done.request_id)] == ["GEOMETRY_NOT_TRANSFORMABLE"]


def test_deleted_records_of_a_shapefile(mill: Mill) -> None:
    path = mill.place("nc.shp")
    table = path.with_suffix(".dbf")
    content = bytearray(table.read_bytes())
    start, length = int.from_bytes(content[8:10], "little"), int.from_bytes(content[10:12], "little")
    content[start + 5 * length] = ord("*")
    table.write_bytes(content)
    assert mill.ingest(path, chunk_rows=100).value("count(*)") == 99
