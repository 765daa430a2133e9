"""kill -9 of the worker before each statement it sends: readers see the old or the new, and in the end all is there once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from psycopg import sql

from tests.py.vector.conftest import Mill
from tests.py.vector.killed import work_until


def squares(path: Path, numbers: range, **columns: object) -> Path:
    """A GeoPackage of a square for each number, and one geometry that nobody can use."""
    number = np.array(numbers)
    shapes = [*shapely.box(number % 90, number // 90, number % 90 + 0.5, number // 90 + 0.5), shapely.box(0, 100, 1, 200)]
    data = {"number": [*numbers, -1], **columns}
    geopandas.GeoDataFrame(data, geometry=shapes, crs="EPSG:4326").to_file(path, driver="GPKG", engine="pyogrio")
    return path


def seen(mill: Mill, table: str, request_id: str) -> tuple[Any, ...]:
    """What there is to see: rows, revision of the table, of the item, of the request; one snapshot."""
    [row] = mill.rows(
        sql.SQL(
            """
        SELECT (SELECT count(*) FROM {}) AS rows,
               substring(obj_description(%s::regclass) FROM 'revision=(\\d+)')::integer AS "table",
               (SELECT (i.content #>> '{{properties,geomill:revision}}')::integer FROM pgstac.items AS i
                 WHERE i.content #>> '{{properties,geomill:request_id}}' = r.request_id) AS item,
               r.published_revision AS request, r.endpoints ->> 'table' AS endpoint
          FROM platform.requests AS r WHERE r.request_id = %s
        """
        ).format(sql.Identifier("geo", table)),
        f"geo.{table}",
        request_id,
    )
    return tuple(row.values())


def every_statement(mill: Mill, table: str, request_id: str, *allowed: tuple[Any, ...]) -> None:
    """Kill the worker at each statement until the request has come to its end; look after each kill."""
    statement, done = 0, 0
    for _ in range(1000):
        statement += 1
        ended = work_until(mill, statement)
        assert seen(mill, table, request_id) in allowed
        if ended:
            return
        [completed] = mill.rows("SELECT count(*) AS n FROM app.tasks WHERE status = 'completed'")
        if completed["n"] != done:
            statement, done = 0, completed["n"]
    raise AssertionError("the request never came to its end")


@pytest.mark.parametrize("before", [3, pytest.param(0, marks=pytest.mark.slow)])
def test_an_overwrite(mill: Mill, before: int) -> None:
    """From the third task on, which leaves the catalogue's; the whole of it is marked slow."""
    first = mill.ingest(squares(mill.sources / "first.gpkg", range(120)), dataset=f"killed_{before}")
    table = first.table.removeprefix("geo.")
    config = {"overwrite": True, "chunk_rows": 100}
    request_id = mill.submit(squares(mill.sources / "second.gpkg", range(250)), dataset=f"killed_{before}", **config)
    if before:
        mill.work(before + 2)
    old, new = (120, 1, 1, 1, first.table), (250, 2, 2, 2, first.table)
    every_statement(mill, table, request_id, old, new)
    assert seen(mill, table, request_id) == new
    assert mill.status(request_id)["status"] == "completed"
    assert mill.rows(sql.SQL("SELECT count(DISTINCT number) AS n FROM {}").format(first.relation)) == [{"n": 250}]
    assert len(mill.rejects(request_id)) == 1
    mill.work()
    assert mill.leftovers() == []
