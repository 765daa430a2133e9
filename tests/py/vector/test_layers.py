"""All layers of a file: a table and an item for each, one request, one commit."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from psycopg import sql

from tests.py.support.stac_extensions import problems
from tests.py.vector.conftest import Mill
from workers.vector.decide import suffixes


def geopackage(mill: Mill, layers: dict[str, int]) -> Path:
    """A GeoPackage with so many points in each layer; the points of a layer lie a degree east of those before."""
    path = mill.sources / f"{uuid.uuid4().hex}.gpkg"
    for number, (name, rows) in enumerate(layers.items()):
        points = [shapely.Point(number, row / 100) for row in range(rows)]
        frame = geopandas.GeoDataFrame({f"of_{number}": list(range(rows))}, geometry=points, crs="EPSG:4326")
        frame.to_file(path, driver="GPKG", layer=name, engine="pyogrio", geometry_type="Point")
    return path


def tables(mill: Mill, base: str) -> dict[str, int]:
    found = mill.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND relkind = 'r' AND starts_with(relname, %s)", base
    )
    names = [row["relname"] for row in found]
    return {name: mill.rows(sql.SQL("SELECT count(*) AS n FROM {}").format(sql.Identifier("geo", name)))[0]["n"] for name in names}


def items(mill: Mill, request_id: str) -> dict[str, Any]:
    query = (
        "SELECT id, content #>> '{properties,table:row_count}' AS n FROM pgstac.items"
        " WHERE content #>> '{properties,geomill:request_id}' = %s"
    )
    return {row["id"]: row["n"] for row in mill.rows(query, request_id)}


def test_a_table_and_an_item_for_each(mill: Mill) -> None:
    dataset, base = f"d{uuid.uuid4().hex[:8]}", f"t_{uuid.uuid4().hex[:8]}"
    source = geopackage(mill, {"Roads": 250, "roads!": 30, "Öl; DROP": 5, "empty": 0})
    request_id = mill.submit(source, dataset=dataset, table_name=base, layer="*", chunk_rows=100)
    mill.work()
    status = mill.status(request_id)
    assert status["status"] == "completed", status["error"]
    assert tables(mill, base) == {f"{base}_roads": 250, f"{base}_roads_2": 30, f"{base}_l_drop": 5}
    assert status["counts"] == {"read": 285, "inserted": 285, "updated": 0, "rejected": 0}
    assert sorted(status["endpoints"]["table"]) == [f"geo.{name}" for name in sorted(tables(mill, base))]
    item = f"{dataset}_r_v1"
    assert items(mill, request_id) == {f"{item}_roads": "250", f"{item}_roads_2": "30", f"{item}_l_drop": "5"}
    assert status["endpoints"]["stac_item"] == [
        f"/collections/ddh_vectors/items/{item}_{suffix}" for suffix in ("roads", "roads_2", "l_drop")
    ]
    assert {feature["id"] for feature in status["stac_metadata"]["features"]} == set(items(mill, request_id))
    assert [problems(feature, "item") for feature in status["stac_metadata"]["features"]] == [[], [], []]
    of_rows = sql.SQL("SELECT DISTINCT stac_item_id FROM {}").format(sql.Identifier("geo", f"{base}_roads_2"))
    assert mill.rows(of_rows) == [{"stac_item_id": f"{item}_roads_2"}]
    counted = sql.SQL("SELECT count(*) AS n FROM {}").format(sql.Identifier("geo", f"{base}_l_drop"))
    assert mill.ddh.execute(counted).fetchall() == [{"n": 5}]

    # A revision with other layers: what it has no more goes, in the same commit.
    other = geopackage(mill, {"Roads": 7, "new": 8})
    assert mill.submit(other, dataset=dataset, table_name=base, layer="*", overwrite=True) == request_id
    mill.work()
    assert mill.status(request_id)["status"] == "completed"
    assert tables(mill, base) == {f"{base}_roads": 7, f"{base}_new": 8}
    assert items(mill, request_id) == {f"{item}_roads": "7", f"{item}_new": "8"}

    [said] = mill.ddh.execute("SELECT platform.unpublish_request(%s, false) AS said", (request_id,)).fetchall()
    assert said["said"]["tables"] == [f"geo.{base}_new", f"geo.{base}_roads"]
    mill.work()
    assert (tables(mill, base), items(mill, request_id)) == ({}, {})
    assert mill.status(request_id)["status"] == "unpublished"


def test_a_name_that_is_taken_is_refused_before_loading(mill: Mill) -> None:
    base = f"t_{uuid.uuid4().hex[:8]}"
    mill.ingest(geopackage(mill, {"one": 3}), table_name=f"{base}_b")
    request_id = mill.submit(geopackage(mill, {"a": 3, "b": 3}), table_name=base, layer="*")
    mill.work()
    assert mill.status(request_id)["error"]["code"] == "TABLE_NAME_TAKEN"
    assert tables(mill, base) == {f"{base}_b": 3}


def test_a_cancelled_one_leaves_nothing(mill: Mill) -> None:
    base = f"t_{uuid.uuid4().hex[:8]}"
    request_id = mill.submit(geopackage(mill, {"a": 3, "b": 3}), table_name=base, layer="*")
    mill.work(2)
    staging = "SELECT FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND starts_with(relname, '_load_') AND relkind = 'r'"
    assert len(mill.rows(staging)) == 2
    mill.ddh.execute("SELECT platform.cancel_request(%s, 'no longer wanted')", (request_id,))
    mill.work()
    assert mill.rows(staging) == []


def test_what_all_layers_cannot_be(mill: Mill) -> None:
    source = geopackage(mill, {"a": 1})
    configs: list[dict[str, Any]] = [{"mode": "append"}, {"inspect_only": True}, {"key_columns": ["of_0"]}]
    for config in configs:
        with pytest.raises(Exception, match="all layers make new tables"):
            mill.submit(source, layer="*", **config)


def test_suffixes() -> None:
    assert suffixes(["Roads", "roads", "ROADS!", "", "é", "x" * 99]) == ["roads", "roads_2", "roads_3", "layer", "layer_2", "x" * 30]
