"""inspect_only: what an ingest would make and what stands in its way are said, and nothing is made."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.py.vector.conftest import Mill

FEATURES: list[dict[str, Any]] = [
    {"type": "Feature", "properties": {"Code": 1, "select": "a"}, "geometry": {"type": "Point", "coordinates": [7, 50]}},
    {"type": "Feature", "properties": {"Code": 2, "select": "b"}, "geometry": {"type": "Point", "coordinates": [7, 95]}},
    {"type": "Feature", "properties": {"Code": 1, "select": "c"}, "geometry": {"type": "Point", "coordinates": [8, 50]}},
]


def everything(mill: Mill) -> list[dict[str, Any]]:
    """What an ingest could leave: tables, items, collections, reservations, rejects."""
    return mill.rows(
        """
        SELECT 'table' AS kind, c.relname::text AS name FROM pg_class AS c WHERE c.relnamespace = 'geo'::regnamespace
         UNION ALL SELECT 'item', i.id FROM pgstac.items AS i
         UNION ALL SELECT 'collection', c.id FROM pgstac.collections AS c
         UNION ALL SELECT 'reservation', t.table_name FROM platform.geo_tables AS t
         UNION ALL SELECT 'reject', j.reject_id::text FROM platform.rejects AS j ORDER BY 1, 2
        """
    )


def test_it_says_and_makes_nothing(mill: Mill) -> None:
    source = mill.write("inspected.geojson", {"type": "FeatureCollection", "features": FEATURES})
    before, dataset = everything(mill), uuid.uuid4().hex
    config = {"key_columns": ["code"], "mode": "upsert"}
    request_id = mill.submit(source, dataset=dataset, inspect_only=True, **config)
    mill.work()
    status = mill.status(request_id)
    assert (status["status"], status["counts"], status["endpoints"]) == ("completed", None, {})
    assert everything(mill) == before
    told = status["inspection"]
    assert (told["features"], told["geometry_type"], told["into"], told["tasks"]) == (3, "POINT", "new", 1)
    assert [(column["original"], column["name"]) for column in told["columns"]] == [("Code", "code"), ("select", "select")]
    sample = told["sample"]
    assert (sample["read"], sample["usable"], sample["rejected"]) == (3, 1, 2)
    assert {(problem["code"], problem["properties"]["select"]) for problem in sample["problems"]} == {
        ("GEOMETRY_OUT_OF_RANGE", "b"),
        ("KEY_REPEATED", "a"),
    }
    # In earnest, under the same identity: there is nothing to overwrite.
    assert mill.submit(source, dataset=dataset, **config) == request_id
    mill.work()
    status = mill.status(request_id)
    assert (status["revision"], status["counts"]) == (2, {"read": 3, "inserted": 1, "updated": 0, "rejected": 2})
    assert status["inspection"] is None
    with pytest.raises(Exception, match="an inspection would take its place"):
        mill.submit(source, dataset=dataset, inspect_only=True, overwrite=True)


def test_rows_that_would_not_fit_are_said_before(mill: Mill) -> None:
    table = f"t_{uuid.uuid4().hex[:8]}"
    mill.ingest(mill.place("nc.gpkg"), table_name=table)
    source = mill.write("inspected.geojson", json.dumps({"type": "FeatureCollection", "features": FEATURES}))
    request_id = mill.submit(source, table_name=table, mode="append", inspect_only=True)
    mill.work()
    assert mill.status(request_id)["error"]["code"] == "TABLE_DIFFERS"
