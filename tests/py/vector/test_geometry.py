"""Geometries of every kind, and where on the globe they are."""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from tests.py.support.stac_extensions import problems
from tests.py.vector.conftest import Ingested, Mill
from tests.py.vector.test_torture import collection, feature, polygon
from workers.vector import bounds, features, wkb


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    return polygon([[west, south], [east, south], [east, north], [west, north], [west, south]])


def ingest(mill: Mill, name: str, *geometries: Any, **config: Any) -> Ingested:
    return mill.ingest(mill.write(f"{name}.geojson", collection(*(feature(one, n=n) for n, one in enumerate(geometries)))), **config)


def test_longitudes_beyond_180_are_divided_there(mill: Mill) -> None:
    pacific = ingest(
        mill,
        "pacific",
        box(170, 0, 190, 10),
        box(-200, 20, -170, 30),
        {"type": "MultiPolygon", "coordinates": [box(1, 1, 2, 2)["coordinates"], box(175, 0, 185, 1)["coordinates"]]},
        box(10, 40, 20, 50),
    )
    rows = pacific.rows("n, ST_XMin(geom) AS west, ST_XMax(geom) AS east, ST_NumGeometries(geom) AS parts, ST_Area(geom) AS area")
    assert [(row["n"], row["west"], row["east"], row["parts"], round(row["area"], 6)) for row in rows] == [
        (0, -180, 180, 2, 200), (1, -180, 180, 2, 300), (2, -180, 180, 3, 11), (3, 10, 20, 1, 100),
    ]  # fmt: skip
    assert "ANTIMERIDIAN_DIVIDED" in pacific.warnings
    turned = ingest(mill, "turned", {"type": "Point", "coordinates": [200, 5]}, {"type": "Point", "coordinates": [-75, 5]})
    assert [row["x"] for row in turned.rows("ST_X(geom) AS x")] == [-160, -75]
    line = ingest(mill, "line", {"type": "LineString", "coordinates": [[170, 0], [190, 0]]})
    assert line.value("ST_AsText(geom)") == "MULTILINESTRING((170 0,180 0),(-180 0,-170 0))"


def test_longitudes_that_are_no_turn_of_the_globe_are_rejected(mill: Mill) -> None:
    done = ingest(mill, "far", {"type": "Point", "coordinates": [600, 5]}, {"type": "Point", "coordinates": [1, 5]})
    [reject] = mill.rejects(done.request_id)
    assert (reject["code"], reject["source_row"]) == ("GEOMETRY_OUT_OF_RANGE", 0)
    assert "longitude 600" in reject["reason"]


def test_a_polygon_that_may_cross_the_antimeridian_is_taken_as_written_and_said(mill: Mill) -> None:
    done = ingest(mill, "ambiguous", box(-179, 0, 179, 10), box(-180, -90, 180, -60))
    assert done.rows("ST_Area(geom) AS area") == [{"area": 3580}, {"area": 10800}]
    assert "ANTIMERIDIAN_NOT_ASSUMED" in done.warnings
    assert "2 geometries" in next(one["message"] for one in done.report["warnings"] if one["code"] == "ANTIMERIDIAN_NOT_ASSUMED")


@pytest.mark.parametrize("crs", ["EPSG:3832", "EPSG:3413"])
def test_what_a_projection_tears_apart_is_put_together(mill: Mill, crs: str) -> None:
    truth = shapely.box(178, 70, 182, 72)
    projected = gpd.GeoSeries([shapely.segmentize(truth, 0.1)], crs=4326).to_crs(crs)
    path = mill.sources / f"torn-{crs[5:]}.gpkg"
    gpd.GeoDataFrame({"n": [1]}, geometry=projected, crs=crs).to_file(path)
    done = mill.ingest(path)
    assert done.value("ST_Area(geom)") == pytest.approx(8, rel=1e-3)
    assert done.value("ST_NumGeometries(geom)") == 2
    assert "ANTIMERIDIAN_DIVIDED" in done.warnings


def test_outer_rings_run_against_the_clock(mill: Mill) -> None:
    clockwise = polygon([[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]])
    wound = ingest(mill, "wound", clockwise, box(0, 0, 1, 1))
    assert wound.value("bool_and(ST_IsPolygonCCW(geom))")
    assert wound.value("sum(ST_Area(geom))") == 81


def test_a_table_in_another_crs(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.shp"), target_crs="EPSG:32119")
    assert done.value("bool_and(ST_SRID(geom) = 32119 AND ST_IsValid(geom))")
    assert done.value("sum(ST_Area(geom)) / 1e9") == pytest.approx(127, abs=1)
    west, south, east, north = done.report["bbox"]
    assert (west, south, east, north) == pytest.approx((-84.32, 33.88, -75.46, 36.59), abs=0.2)
    assert done.status["stac_metadata"]["properties"]["proj:code"] == "EPSG:32119"
    assert problems(done.status["stac_metadata"], "item") == []
    assert done.status["stac_metadata"]["bbox"] == pytest.approx([west, south, east, north])
    degrees = mill.ingest(mill.place("nc.shp"), target_crs="EPSG:4258")
    assert degrees.value("min(ST_SRID(geom))") == 4258
    for code in ("EPSG:4979", "EPSG:999999", "EPSG:5773"):
        assert mill.refused(mill.place("nc.shp"), target_crs=code)["field"] == "target_crs"


def test_points_that_are_nowhere_in_the_target_are_rejected(mill: Mill) -> None:
    done = ingest(
        mill, "poles", {"type": "Point", "coordinates": [0, 90]}, {"type": "Point", "coordinates": [0, 1]}, target_crs="EPSG:3857"
    )
    assert done.value("count(*)") + len(mill.rejects(done.request_id)) == 2
    assert done.value("bool_and(abs(ST_Y(geom)) < 'infinity')")


GML = """<?xml version="1.0" encoding="UTF-8"?>
<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:e="http://example.com/e" gml:id="c">
  <gml:featureMember><e:place gml:id="p1"><e:name>here</e:name>
    <e:where><gml:Point gml:id="g1" srsName="{srs}"><gml:pos>{pos}</gml:pos></gml:Point></e:where></e:place></gml:featureMember>
</gml:FeatureCollection>"""


@pytest.mark.parametrize(
    ("srs", "pos"),
    [
        ("urn:ogc:def:crs:EPSG::4326", "50 10"),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", "50 10"),
        ("EPSG:4326", "10 50"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "10 50"),
        ("urn:ogc:def:crs:EPSG::3035", "3000000 4321000"),
    ],
)
def test_axes_are_in_the_order_that_the_file_says(mill: Mill, srs: str, pos: str) -> None:
    place = mill.ingest(mill.write("axes.gml", GML.format(srs=srs, pos=pos)))
    x, y = place.value("ST_X(geom)"), place.value("ST_Y(geom)")
    assert (x, y) == pytest.approx((10, 50 if "3035" not in srs else y), abs=0.02)
    assert 49 < y < 51


def test_feet_of_the_us_survey(mill: Mill) -> None:
    path = mill.sources / "feet.shp"
    manhattan = gpd.GeoSeries([shapely.Point(-73.97, 40.78)], crs=4326).to_crs(2263)
    gpd.GeoDataFrame({"n": [1]}, geometry=manhattan, crs=2263).to_file(path)
    assert "US" in path.with_suffix(".prj").read_text()
    feet = mill.ingest(path)
    assert feet.report["source"]["crs"] == "EPSG:2263"
    assert feet.report["bbox"] == pytest.approx([-73.97, 40.78, -73.97, 40.78], abs=1e-6)


def test_surfaces_become_multipolygons(mill: Mill) -> None:
    path = mill.sources / "surfaces.gpkg"
    triangles = [(0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (0.0, 1.0, 1.0)], [(1.0, 0.0, 1.0), (1.0, 1.0, 2.0), (0.0, 1.0, 1.0)]
    parts = b"".join(struct.pack("<BIII", 1, 1017, 1, 4) + struct.pack("<12d", *np.array([*one, one[0]]).ravel()) for one in triangles)
    tin = struct.pack("<BII", 1, 1016, 2) + parts
    faces = struct.pack("<BII", 1, 1015, 2) + parts.replace(struct.pack("<I", 1017), struct.pack("<I", 1003))
    pyogrio.raw.write(
        path, np.array([tin, faces], dtype=object), [np.array([1, 2])], ["n"], driver="GPKG", geometry_type="Unknown", crs="EPSG:4326"
    )
    done = mill.ingest(path, keep_z=True)
    assert done.report["geometry_type"] == "MULTIPOLYGONZ"
    assert [(row["n"], row["area"], row["z"]) for row in done.rows("n, ST_Area(geom) AS area, ST_ZMax(geom) AS z")] == [
        (1, 1, 2),
        (2, 1, 2),
    ]
    assert "SURFACES_FLATTENED" in done.warnings


def test_a_monstrous_geometry_is_one_reject(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_GEOMETRY_BYTES", 100_000)
    circle = shapely.buffer(shapely.Point(10, 10), 5, quad_segs=5_000)
    frame = gpd.GeoDataFrame({"n": [1, 2]}, geometry=[circle, shapely.box(0, 0, 1, 1)], crs=4326)
    for suffix in ("gpkg", "shp", "fgb", "geojson", "parquet"):
        path = mill.sources / f"monstrous.{suffix}"
        match suffix:
            case "geojson":
                path.write_text(frame.to_json(drop_id=True))
            case "parquet":
                frame.to_parquet(path)
            case _:
                frame.to_file(path)
        done = mill.ingest(path)
        assert done.value("count(*)") == 1
        [reject] = mill.rejects(done.request_id)
        assert reject["code"] == "GEOMETRY_TOO_LARGE"
        assert "(5.0, 5.0, 15.0, 15.0)" in reject["reason"]
        assert reject["properties"] == {"n": 1}


def test_coordinates_that_are_no_numbers(mill: Mill) -> None:
    path = mill.sources / "nan.gpkg"
    ring = [(0.0, 0.0), (1.0, 0.0), (1.0, np.nan), (0.0, 1.0), (0.0, 0.0)]
    infinite = [(0.0, 0.0), (np.inf, 0.0), (1.0, 1.0), (0.0, 0.0)]
    polygons = [struct.pack("<BIII", 1, 3, 1, len(one)) + np.array(one).tobytes() for one in (ring, infinite)]
    values = np.array([*polygons, shapely.to_wkb(shapely.box(0, 0, 1, 1), flavor="iso")], dtype=object)
    pyogrio.raw.write(path, values, [np.array([1, 2, 3])], ["n"], driver="GPKG", geometry_type="Polygon", crs="EPSG:4326")
    done = mill.ingest(path)
    assert done.rows("n") == [{"n": 3}]
    assert sorted(row["properties"]["n"] for row in mill.rejects(done.request_id)) == [1, 2]
    points = [feature({"type": "Point", "coordinates": [x, 1]}, n=n) for n, x in ((1, "NaN"), (2, 2))]
    nan = json.dumps(collection(*points))
    text = mill.write("nan.geojson", nan.replace('"NaN"', "NaN"))
    done = mill.ingest(text)
    assert done.rows("n") == [{"n": 2}]
    assert [row["code"] for row in mill.rejects(done.request_id)] == ["GEOMETRY_UNREADABLE"]


def test_a_repair_that_raises_is_one_reject(mill: Mill) -> None:
    path = mill.sources / "raises.gpkg"
    bowtie = shapely.Polygon([(0, 0, 5), (1, 1, 5), (1, 0, 5), (0, 1, 5)])
    with_nothing = shapely.GeometryCollection([bowtie, shapely.from_wkt("POINT Z EMPTY")])
    values = np.array([shapely.to_wkb(one, flavor="iso") for one in (with_nothing, shapely.Point(1, 2, 3))], dtype=object)
    pyogrio.raw.write(path, values, [np.array([1, 2])], ["n"], driver="GPKG", geometry_type="Unknown", crs="EPSG:4326")
    done = mill.ingest(path, keep_z=True)
    assert done.rows("n") == [{"n": 2}]
    [reject] = mill.rejects(done.request_id)
    assert (reject["code"], reject["properties"]) == ("GEOMETRY_NOT_REPAIRABLE", {"n": 1})
    assert "mixed dimension" in reject["reason"]


def test_rejects_show_where_they_are(mill: Mill) -> None:
    path = mill.sources / "where.gpkg"
    unclosed = struct.pack("<BIII", 1, 3, 1, 4) + struct.pack("<8d", 0, 0, 1, 0, 1, 1, 0, 1)
    line = shapely.to_wkb(shapely.LineString([(7, 8), (9, 10)]), flavor="iso")
    flat = shapely.to_wkb(shapely.Polygon([(3, 4), (5, 6), (3, 4), (3, 4)]), flavor="iso")
    good = shapely.to_wkb(shapely.box(0, 0, 1, 1), flavor="iso")
    values = np.array([unclosed, line, flat, good], dtype=object)
    pyogrio.raw.write(path, values, [np.array([1, 2, 3, 4])], ["n"], driver="GPKG", geometry_type="Unknown", crs="EPSG:4326")
    done = mill.ingest(path, geometry_type="MULTIPOLYGON")
    reasons = {row["code"]: row["reason"] for row in mill.rejects(done.request_id)}
    assert "0103000000" in reasons["GEOMETRY_UNREADABLE"]
    assert "BOX(7 8,9 10)" in reasons["GEOMETRY_TYPE_MISMATCH"]
    assert "BOX(3 4,5 6)" in reasons["GEOMETRY_NOT_REPAIRABLE"]


SHAPES = st.sampled_from([1, 2, 3, 4, 5, 6, 7]).flatmap(
    lambda code: st.tuples(st.just(code), st.booleans(), st.lists(st.integers(-180, 180), min_size=4, max_size=12))
)


@given(SHAPES, st.booleans())
def test_wkb_is_walked_as_shapely_reads_it(shape: tuple[int, bool, list[int]], big: bool) -> None:
    code, has_z, numbers = shape
    places = [(x, y, 5) if has_z else (x, y) for x, y in pairwise(numbers)]
    line = shapely.LineString(places)
    ring = shapely.Polygon([*places, places[0]])
    nested = shapely.GeometryCollection([line, shapely.MultiPolygon([ring]), shapely.Point(places[0])])
    made = {
        1: shapely.Point(places[0]), 2: line, 3: ring, 4: shapely.MultiPoint(places), 5: shapely.MultiLineString([line, line]),
        6: shapely.MultiPolygon([ring, ring]), 7: nested,
    }[code]  # fmt: skip
    data = shapely.to_wkb(made, flavor="iso", byte_order=0 if big else 1)
    assert wkb.extent(data) == pytest.approx(made.bounds)
    assert wkb.flattened(data) == data


@given(SHAPES)
def test_geojson_is_encoded_as_shapely_does(shape: tuple[int, bool, list[int]]) -> None:
    _, has_z, numbers = shape
    places = [[x, y, 5] if has_z else [x, y] for x, y in pairwise(numbers)]
    ring = [*places, places[0]]
    for kind, coordinates in (
        ("Point", places[0]), ("LineString", places), ("Polygon", [ring, ring]), ("MultiPoint", places),
        ("MultiLineString", [places, places]), ("MultiPolygon", [[ring], [ring]]),
    ):  # fmt: skip
        geometry = {"type": kind, "coordinates": coordinates}
        encoded = features.encode({"type": "GeometryCollection", "geometries": [geometry, {"type": "Point", "coordinates": places[0]}]})
        assert shapely.from_wkb(encoded).geoms[0].equals_exact(shapely.geometry.shape(geometry))
