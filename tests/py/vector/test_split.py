"""A layer of mixed geometries, split: a table and an item for points, lines and polygons, one request, one commit."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from psycopg import sql

from tests.py.support.stac_extensions import problems
from tests.py.vector.conftest import Mill
from tests.py.vector.test_layers import items, tables
from workers.vector.families import family_of

POINT = {"type": "Point", "coordinates": [1, 2]}
LINE = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
BOWTIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
FAR = {"type": "Point", "coordinates": [20, 95]}
BROKEN = {"type": "LineString", "coordinates": [[0, 0]]}


def together(*geometries: Any) -> dict[str, Any]:
    return {"type": "GeometryCollection", "geometries": list(geometries)}


def geojson(mill: Mill, geometries: list[Any]) -> Path:
    """A GeoJSON of these, numbered by its column n."""
    features = [{"type": "Feature", "properties": {"n": n}, "geometry": one} for n, one in enumerate(geometries)]
    return mill.write(f"{uuid.uuid4().hex}.geojson", json.dumps({"type": "FeatureCollection", "features": features}))


def numbers(mill: Mill, table: str) -> list[int]:
    """What a table has as n, in order."""
    return [row["n"] for row in mill.rows(sql.SQL("SELECT n FROM {} ORDER BY n").format(sql.Identifier("geo", table)))]


def names() -> tuple[str, str]:
    return f"d{uuid.uuid4().hex[:8]}", f"t_{uuid.uuid4().hex[:8]}"


def test_a_table_and_an_item_for_each_family(mill: Mill) -> None:
    dataset, base = names()
    pattern = [POINT, LINE, POLYGON, BOWTIE, None, together(POINT, FAR | {"coordinates": [3, 4]}), together(POINT, LINE), BROKEN]
    source = geojson(mill, pattern * 40)
    request_id = mill.submit(source, dataset=dataset, table_name=base, geometry_type="split", chunk_rows=100, arcgis_mode=True)
    mill.work()
    status = mill.status(request_id)
    assert status["status"] == "completed", status["error"]

    def every(*places: int) -> list[int]:
        return [n for n in range(320) if n % 8 in places]

    assert tables(mill, base) == {f"{base}_points": 120, f"{base}_lines": 40, f"{base}_polygons": 80}
    assert numbers(mill, f"{base}_points") == every(0, 4, 5), "what has no geometry is with the first"
    assert numbers(mill, f"{base}_lines") == every(1)
    assert numbers(mill, f"{base}_polygons") == every(2, 3)
    assert sorted(row["properties"]["n"] for row in mill.rejects(request_id)) == every(6, 7), "each once"
    assert status["counts"] == {"read": 320, "inserted": 240, "updated": 0, "rejected": 80}
    types = mill.rows(
        "SELECT f_table_name AS t, f_geometry_column AS c, type FROM public.geometry_columns WHERE starts_with(f_table_name, %s)", base
    )
    assert {(row["t"], row["c"], row["type"]) for row in types} == {
        (f"{base}_points", "shape", "MULTIPOINT"), (f"{base}_lines", "shape", "MULTILINESTRING"),
        (f"{base}_polygons", "shape", "MULTIPOLYGON"),
    }  # fmt: skip
    said = [warning["code"] for warning in status["warnings"]]
    assert said.count("GEOMETRY_TYPES_BEYOND") == 1
    assert said.count("GEOMETRIES_REPAIRED") == 1
    item = f"{dataset}_r_v1"
    assert items(mill, request_id) == {f"{item}_points": "120", f"{item}_lines": "40", f"{item}_polygons": "80"}
    assert [problems(feature, "item") for feature in status["stac_metadata"]["features"]] == [[], [], []]
    assert sorted(status["endpoints"]["table"]) == [f"geo.{base}_{family}" for family in ("lines", "points", "polygons")]
    of_rows = sql.SQL("SELECT DISTINCT stac_item_id FROM {}").format(sql.Identifier("geo", f"{base}_lines"))
    assert mill.rows(of_rows) == [{"stac_item_id": f"{item}_lines"}]
    counted = sql.SQL("SELECT count(*) AS n FROM {}").format(sql.Identifier("geo", f"{base}_polygons"))
    assert mill.ddh.execute(counted).fetchall() == [{"n": 80}]

    # A revision with other families: what it has no more goes, in the same commit.
    assert mill.submit(geojson(mill, [LINE, LINE]), dataset=dataset, table_name=base, geometry_type="split", overwrite=True) == request_id
    mill.work()
    assert mill.status(request_id)["status"] == "completed"
    assert (tables(mill, base), items(mill, request_id)) == ({f"{base}_lines": 2}, {f"{item}_lines": "2"})

    # One that is not split takes its place, and the other way round.
    mixed = geojson(mill, [LINE, POLYGON])
    mill.submit(mixed, dataset=dataset, table_name=base, overwrite=True)
    mill.work()
    assert (tables(mill, base), items(mill, request_id)) == ({base: 2}, {item: "2"})
    mill.submit(mixed, dataset=dataset, table_name=base, geometry_type="split", overwrite=True)
    mill.work()
    assert tables(mill, base) == {f"{base}_lines": 1, f"{base}_polygons": 1}

    [said_to] = mill.ddh.execute("SELECT platform.unpublish_request(%s, false) AS said", (request_id,)).fetchall()
    assert said_to["said"]["tables"] == [f"geo.{base}_lines", f"geo.{base}_polygons"]
    mill.work()
    assert (tables(mill, base), items(mill, request_id)) == ({}, {})


def test_a_family_without_a_row_that_can_be_used_is_left_out(mill: Mill) -> None:
    dataset, base = names()
    request_id = mill.submit(
        geojson(mill, [FAR, POLYGON, BROKEN, LINE, together(POINT, LINE)]), dataset=dataset, table_name=base, geometry_type="split"
    )
    mill.work()
    status = mill.status(request_id)
    assert status["status"] == "completed", status["error"]
    assert status["counts"] == {"read": 5, "inserted": 2, "updated": 0, "rejected": 3}
    assert tables(mill, base) == {f"{base}_lines": 1, f"{base}_polygons": 1}
    assert (numbers(mill, f"{base}_lines"), numbers(mill, f"{base}_polygons")) == ([3], [1])
    assert sorted(row["properties"]["n"] for row in mill.rejects(request_id)) == [0, 2, 4]
    assert mill.rows("SELECT FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND starts_with(relname, '_load_')") == []
    assert "GEOMETRY_TYPES_BEYOND" in [warning["code"] for warning in status["warnings"]]


def test_rejects_are_judged_together(mill: Mill) -> None:
    dataset, base = names()
    source = geojson(mill, [POINT, FAR, LINE, FAR | {"type": "LineString", "coordinates": [[0, 95], [1, 95]]}])
    request_id = mill.submit(source, dataset=dataset, table_name=base, geometry_type="split", max_rejects=1)
    mill.work()
    assert mill.status(request_id)["error"]["code"] == "ROWS_REJECTED"
    assert tables(mill, base) == {}


def test_each_of_all_layers(mill: Mill) -> None:
    dataset, base = names()
    path = mill.sources / f"{uuid.uuid4().hex}.gpkg"
    shapes = [shapely.Point(0, 0), shapely.LineString([(0, 0), (1, 1)]), shapely.Point(1, 1).buffer(1)]
    for layer, geometry in (("a", shapes), ("b", shapes[:2])):
        frame = geopandas.GeoDataFrame({"n": range(70 * len(geometry))}, geometry=geometry * 70, crs="EPSG:4326")
        frame.to_file(path, driver="GPKG", layer=layer, engine="pyogrio", geometry_type="Unknown")
    request_id = mill.submit(path, dataset=dataset, table_name=base, layer="*", geometry_type="split", chunk_rows=100)
    mill.work()
    assert mill.status(request_id)["counts"] == {"read": 350, "inserted": 350, "updated": 0, "rejected": 0}
    assert numbers(mill, f"{base}_a_polygons") == list(range(2, 210, 3))
    families = ["a_points", "a_lines", "a_polygons", "b_points", "b_lines"]
    assert tables(mill, base) == {f"{base}_{family}": 70 for family in families}
    assert items(mill, request_id) == {f"{dataset}_r_v1_{family}": "70" for family in families}


def test_what_cannot_be_split(mill: Mill) -> None:
    source = geojson(mill, [together(POINT, LINE)])
    configs: list[dict[str, Any]] = [{"mode": "append"}, {"inspect_only": True}, {"key_columns": ["n"]}]
    for config in configs:
        with pytest.raises(Exception, match="a layer that is split makes new tables"):
            mill.submit(source, geometry_type="split", **config)
    request_id = mill.submit(source, geometry_type="split")
    mill.work()
    assert mill.status(request_id)["error"]["code"] == "GEOMETRY_TYPE_CONFLICT"


@pytest.mark.parametrize(
    ("wkt", "family"),
    [
        ("POINT (1 2)", "points"),
        ("POINT EMPTY", "points"),
        ("MULTIPOINT Z (1 2 3)", "points"),
        ("LINESTRING ZM (1 2 3 4, 5 6 7 8)", "lines"),
        ("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "polygons"),
        ("GEOMETRYCOLLECTION (POINT (1 2), GEOMETRYCOLLECTION (MULTIPOINT (3 4)))", "points"),
        ("GEOMETRYCOLLECTION (POLYGON ((0 0, 1 0, 1 1, 0 0)), POINT (1 2))", None),
        ("GEOMETRYCOLLECTION EMPTY", None),
    ],
)
@pytest.mark.parametrize("byte_order", [0, 1])
def test_the_family_of_a_geometry(wkt: str, family: str | None, byte_order: int) -> None:
    data = shapely.to_wkb(shapely.from_wkt(wkt), byte_order=byte_order, output_dimension=4)
    assert family_of(data) == family


@pytest.mark.parametrize("data", [None, b"", b"\x01", b"\x01\x63\0\0\0", b"\x01\x07\0\0\0\xff\xff\xff\xff\x01\x01\0\0\0"])
def test_what_cannot_be_read_has_no_family(data: bytes | None) -> None:
    assert family_of(data) is None


@pytest.mark.parametrize(("code", "family"), [(8, "lines"), (10, "polygons"), (11, "lines"), (12, "polygons"), (15, "polygons")])
def test_curves_and_surfaces_are_of_what_they_become(code: int, family: str) -> None:
    assert family_of(bytes([1, code, 0, 0, 0, 0, 0, 0, 0])) == family
