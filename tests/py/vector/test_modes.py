"""create, replace, append, upsert: what is in the table afterwards, what is counted, and what stays of it when it is taken back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString

import geopandas
import pandas
import pytest
import shapely
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.py.platform.together import Call, together, value
from tests.py.vector.conftest import Ingested, Mill
from tests.py.vector.killed import work_until


def points(mill: Mill, rows: Sequence[tuple[Any, ...]], columns: Sequence[str] = ("code", "name")) -> Path:
    """A GeoPackage of a point for each row."""
    path = mill.sources / f"{uuid.uuid4().hex}.gpkg"
    data = {name: pandas.Series([row[at] for row in rows]).convert_dtypes() for at, name in enumerate(columns)}
    geometry = [shapely.Point(number, number) for number in range(len(rows))]
    geopandas.GeoDataFrame(data, geometry=geometry, crs="EPSG:4326").to_file(path, driver="GPKG", layer="points")
    return path


def names(mill: Mill, table: str) -> list[tuple[Any, ...]]:
    query = sql.SQL("SELECT code, name FROM {} ORDER BY code, name").format(sql.Identifier("geo", table))
    return [tuple(row.values()) for row in mill.rows(query)]


@pytest.fixture
def table() -> str:
    return f"t_{uuid.uuid4().hex[:12]}"


def unpublish(mill: Mill, done: Ingested) -> dict[str, Any]:
    mill.ddh.execute("SELECT platform.unpublish_request(%s, false)", (done.request_id,))
    mill.work()
    return mill.status(done.request_id)


def counts(read: int, inserted: int, updated: int, rejected: int) -> dict[str, int]:
    return {"read": read, "inserted": inserted, "updated": updated, "rejected": rejected}


def test_append_and_taking_it_back(mill: Mill, table: str) -> None:
    first = mill.ingest(points(mill, [(1, "a"), (2, "b")]), table_name=table)
    added = mill.ingest(points(mill, [(3, "c")]), table_name=table, mode="append")
    assert names(mill, table) == [(1, "a"), (2, "b"), (3, "c")]
    assert (first.status["counts"], added.status["counts"]) == (counts(2, 2, 0, 0), counts(1, 1, 0, 0))
    assert added.table == f"geo.{table}"
    lineage = mill.rows(sql.SQL("SELECT DISTINCT source_file, stac_item_id, etl_job_id, etl_batch_id FROM {}").format(first.relation))
    assert len(lineage) == 2
    assert {row["stac_item_id"] for row in lineage} == {done.status["stac_metadata"]["id"] for done in (first, added)}
    # A corrected file takes the place of the rows that the request appended before, and of no others.
    source, dataset = points(mill, [(4, "d"), (5, "e")]), added.status["dataset_id"]
    assert mill.submit(source, dataset=dataset, table_name=table, mode="append", overwrite=True) == added.request_id
    mill.work()
    assert names(mill, table) == [(1, "a"), (2, "b"), (4, "d"), (5, "e")]

    with pytest.raises(Exception, match="has rows of other requests"):
        mill.ddh.execute("SELECT platform.unpublish_request(%s)", (first.request_id,))
    [said] = mill.ddh.execute("SELECT platform.unpublish_request(%s) AS said", (added.request_id,)).fetchall()
    assert [warning["code"] for warning in said["said"]["warnings"]] == ["ROWS_WITHDRAWN"]
    assert unpublish(mill, added)["status"] == "unpublished"
    assert names(mill, table) == [(1, "a"), (2, "b")]
    assert unpublish(mill, first)["status"] == "unpublished"
    assert mill.rows("SELECT to_regclass(%s) AS name", f"geo.{table}") == [{"name": None}]


def test_upsert(mill: Mill, table: str) -> None:
    first = mill.ingest(points(mill, [(1, "a"), (2, "b")]), table_name=table)
    query = sql.SQL("SELECT code, objectid, created_at, updated_at, etl_job_id FROM {} ORDER BY code").format(first.relation)
    before = mill.rows(query)
    source = points(mill, [(2, "B"), (3, "c"), (3, "C"), (None, "nobody")])
    done = mill.ingest(source, table_name=table, mode="upsert", key_columns=["code"])
    assert names(mill, table) == [(1, "a"), (2, "B"), (3, "C")]
    assert done.status["counts"] == counts(4, 1, 1, 2)
    assert [(row["source_row"], row["code"], row["properties"]["name"]) for row in mill.rejects(done.request_id)] == [
        (2, "KEY_REPEATED", "c"),
        (4, "KEY_MISSING", "nobody"),
    ]
    after = mill.rows(query)
    assert after[0] == before[0], "a row that the file does not have stays as it is"
    assert (after[1]["objectid"], after[1]["created_at"]) == (before[1]["objectid"], before[1]["created_at"])
    assert after[1]["updated_at"] > before[1]["updated_at"]
    assert after[1]["etl_job_id"] != before[1]["etl_job_id"]
    # The rows that it changed are not what they were, and nobody can make them so.
    [said] = mill.ddh.execute("SELECT platform.unpublish_request(%s) AS said", (done.request_id,)).fetchall()
    assert [warning["code"] for warning in said["said"]["warnings"]] == ["ROWS_KEPT"]
    assert unpublish(mill, done)["status"] == "unpublished"
    assert len(names(mill, table)) == 3
    assert unpublish(mill, first)["status"] == "unpublished"


def test_the_first_upsert_makes_the_table_and_fails_on_rows_it_cannot_tell_apart(mill: Mill, table: str) -> None:
    source = points(mill, [(1, "a"), (1, "b"), (2, "c")])
    assert mill.ingest(source, table_name=table, mode="upsert", key_columns=["code"]).status["counts"] == counts(3, 2, 0, 1)
    [index] = mill.rows("SELECT indexdef FROM pg_indexes WHERE schemaname = 'geo' AND tablename = %s AND indexname LIKE 'key_%%'", table)
    assert "UNIQUE" in index["indexdef"]
    assert mill.refused(source, table_name=f"{table}_2", mode="upsert", key_columns=["code"], on_reject="fail")["code"] == "ROWS_REJECTED"
    assert mill.refused(source, table_name=table, mode="append")["code"] == "KEY_TAKEN"
    mill.ingest(points(mill, [(7, "x"), (7, "y")]), table_name=f"{table}_3")
    assert mill.refused(source, table_name=f"{table}_3", mode="upsert", key_columns=["code"])["code"] == "KEY_NOT_UNIQUE"
    assert mill.refused(source, table_name=table, mode="upsert", key_columns=["nothing"])["code"] == "KEY_COLUMN_UNKNOWN"


def test_replace_takes_the_table_of_another_request(mill: Mill, table: str) -> None:
    first = mill.ingest(points(mill, [(1, "a")]), table_name=table)
    done = mill.ingest(points(mill, [(9, "z")], columns=("code", "other")), table_name=table, mode="replace")
    assert mill.rows(sql.SQL("SELECT code, other FROM {}").format(done.relation)) == [{"code": 9, "other": "z"}]
    before = mill.status(first.request_id)
    assert before["endpoints"] is None
    assert [warning["code"] for warning in before["warnings"]] == ["TABLE_REPLACED"]
    items = mill.rows("SELECT id FROM pgstac.items WHERE content #>> '{properties,geomill:request_id}' = %s", first.request_id)
    assert items == []
    # It is the table of the second now: the first can neither write there nor take it away.
    assert unpublish(mill, first)["status"] == "unpublished"
    assert done.value("count(*)") == 1
    with mill.database.connect("reader") as reader:
        assert reader.execute(sql.SQL("SELECT count(*) FROM {}").format(done.relation)).fetchone() == (1,)


@pytest.mark.parametrize(
    ("rows", "columns", "code"),
    [
        ([(1, "a", 1)], ("code", "name", "more"), "TABLE_DIFFERS"),
        ([("one", "a")], ("code", "name"), "TABLE_DIFFERS"),
    ],
)
def test_rows_that_do_not_fit(mill: Mill, table: str, rows: list[Any], columns: tuple[str, ...], code: str) -> None:
    mill.ingest(points(mill, [(1, "a")]), table_name=table)
    assert mill.refused(points(mill, rows, columns), table_name=table, mode="append")["code"] == code
    assert names(mill, table) == [(1, "a")]


def test_fewer_columns_and_the_tables_own_geometry(mill: Mill, table: str) -> None:
    first = mill.ingest(points(mill, [(1, "a")]), table_name=table, arcgis_mode=True, geometry_type="MULTIPOINT")
    mill.ingest(points(mill, [(2,)], ("code",)), table_name=table, mode="append")
    assert names(mill, table) == [(1, "a"), (2, None)]
    assert mill.rows(sql.SQL("SELECT DISTINCT public.GeometryType(shape) AS kind FROM {}").format(first.relation)) == [
        {"kind": "MULTIPOINT"}
    ]


@pytest.mark.parametrize("config", [{"mode": "append"}, {"mode": "upsert", "key_columns": ["code"]}], ids=["append", "upsert"])
def test_indexes_that_the_table_lacks_are_made(mill: Mill, table: str, config: dict[str, Any]) -> None:
    def indexes() -> dict[str, str]:
        rows = mill.rows("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'geo' AND tablename = %s", table)
        return {row["indexname"]: row["indexdef"] for row in rows}

    first = mill.ingest(points(mill, [(1, "a", 5)], ("code", "name", "size")), table_name=table, indexes=["size"])
    # The name of the new one is another relation's; and what serves some rows only does not count.
    taken = sql.Identifier("geo", f"idx_{table}_name")
    mill.superuser.execute(sql.SQL("CREATE TABLE {} ()").format(taken))
    mill.superuser.execute(sql.SQL("CREATE INDEX ON {} (name) WHERE size > 3").format(first.relation))
    before = indexes()
    for number in (2, 3):
        source = points(mill, [(number, "b", 6)], ("code", "name", "size"))
        mill.ingest(source, table_name=table, indexes=["name", "size", "created_at"], **config)
    made = {name: definition for name, definition in indexes().items() if name not in before and not name.startswith("key_")}
    [(name, definition)] = made.items()
    assert name.startswith(f"idx_{table}_name_")
    assert definition.endswith("USING btree (name)")
    mill.superuser.execute(sql.SQL("DROP TABLE {}").format(taken))
    assert mill.refused(points(mill, [(4, "d")]), table_name=table, indexes=["nothing"], **config)["code"] == "INDEX_COLUMN_UNKNOWN"


@pytest.mark.parametrize("mode", ["append", pytest.param("upsert", marks=pytest.mark.slow)])
def test_killed_at_each_statement_the_rows_are_there_once(mill: Mill, table: str, mode: str) -> None:
    mill.ingest(points(mill, [(1, "a"), (2, "b")]), table_name=table)
    config: dict[str, Any] = {"mode": mode} | ({"key_columns": ["code"]} if mode == "upsert" else {})
    old, new = [(1, "a"), (2, "b")], [(1, "a"), (2, "B"), (3, "c")] if mode == "upsert" else [(1, "a"), (2, "B"), (2, "b"), (3, "c")]
    request_id = mill.submit(points(mill, [(2, "B"), (3, "c")]), table_name=table, **config)
    mill.work(3)
    for statement in range(1, 200):
        ended = work_until(mill, statement)
        [status] = mill.rows("SELECT status::text FROM platform.requests WHERE request_id = %s", request_id)
        assert (names(mill, table), status["status"] == "completed") in ((old, False), (new, True))
        if ended:
            break
    assert names(mill, table) == new
    assert mill.leftovers() == []


def test_requests_for_one_table_never_interleave(mill: Mill, table: str) -> None:
    """Eight are submitted at the same moment, and two workers do what there is to do: each has its turn, whole."""
    first = mill.ingest(points(mill, [(0, "a")]), table_name=table)
    sources = [str(points(mill, [(number, "x")] * 3)) for number in range(1, 9)]
    config = Jsonb({"table_name": table, "mode": "append"})

    def submit(source: str) -> Call:
        query: LiteralString = "SELECT request_id FROM platform.submit_request(%s, 'r', 'v1', %s, 'vector', %s)"
        return lambda connection: value(connection, query, uuid.uuid4().hex, source, config)

    outcomes = together(lambda: mill.database.connect("ddh"), [submit(source) for source in sources])
    assert [outcome.error for outcome in outcomes] == [None] * 8
    workers = [replace(mill, worker_id=f"{mill.worker_id}-{number}") for number in range(2)]
    with ThreadPoolExecutor(len(workers)) as threads:
        assert sum(threads.map(lambda worker: worker.work(), workers)) >= 8 * 4
    requests = [outcome.value for outcome in outcomes]
    turns = mill.rows(
        """
        SELECT j.platform_request_id AS request, min(j.started_at) AS begun, max(j.completed_at) AS ended
          FROM app.jobs AS j WHERE j.platform_request_id = ANY (%s) GROUP BY 1 ORDER BY 2
        """,
        requests,
    )
    assert len(turns) == 8
    assert all(before["ended"] <= after["begun"] for before, after in pairwise(turns)), "one after the other"
    assert {mill.status(request)["status"] for request in requests} == {"completed"}
    counted = sql.SQL("SELECT count(*) AS n, count(DISTINCT code) AS codes FROM {}").format(first.relation)
    assert mill.rows(counted) == [{"n": 25, "codes": 9}]


def test_what_the_call_refuses(mill: Mill, table: str) -> None:
    mill.ingest(points(mill, [(1, "a")]), table_name=table)
    source = str(points(mill, [(2, "b")]))

    def refused(**config: Any) -> str:
        with pytest.raises(Exception) as refusal:  # noqa: PT011 (its DETAIL is looked at)
            mill.ddh.execute("SELECT platform.submit_request(%s, 'r', 'v1', %s, 'vector', %s)", (uuid.uuid4().hex, source, Jsonb(config)))
        return str(refusal.value)

    assert "is taken by request" in refused(table_name=table)
    assert "upsert needs key_columns" in refused(table_name=table, mode="upsert")
    assert "append takes no key_columns" in refused(table_name=table, mode="append", key_columns=["code"])
