"""What a STAC search costs its client, beside pgstac's own, and beside the least that an answer from a cache would (decision 0076).

A thousand items, a thousand searches of each sort in turns, by one caller.
"""

from __future__ import annotations

import statistics
import time
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from bench.requests import ITEMS, ROLE

SORTS = ("a box, another each time", "the same search again", "an item by its id")
SIDES = ("platform.stac_search", "pgstac.search alone", "a kept answer, looked up")
Cell = tuple[str, str]

_SEARCH: LiteralString = "SELECT platform.stac_search(%s)"
_BARE: LiteralString = "SELECT pgstac.search(%s)"
# The least of it: find the answer. Who asks, and whether it is still true, would come on top.
_KEPT: LiteralString = "SELECT a.answer FROM bench_answers AS a WHERE a.client_id = 'bench_hub' AND a.search = %s"


def measure(connection: psycopg.Connection[Any], searches: int) -> dict[Cell, float]:
    """Milliseconds of a search, the median, by sort and side. Within `hub`."""
    connection.execute("CREATE TEMPORARY TABLE bench_answers (client_id text, search jsonb, answer jsonb)")
    connection.execute("CREATE UNIQUE INDEX ON bench_answers (client_id, search)")
    times: dict[Cell, list[float]] = {(sort, side): [] for sort in SORTS for side in SIDES}
    for number in range(searches):
        for sort, search in zip(SORTS, _bodies(number), strict=True):
            connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(ROLE)))
            answer = _timed(connection, times[sort, SIDES[0]], _SEARCH, Jsonb(search))
            connection.execute("RESET SESSION AUTHORIZATION")
            connection.execute("SET search_path = pgstac, public")
            _timed(connection, times[sort, SIDES[1]], _BARE, Jsonb({**search, "collections": ["benchhub_rasters"]}))
            connection.execute("RESET search_path")
            keep = "INSERT INTO bench_answers VALUES ('bench_hub', %s, %s) ON CONFLICT DO NOTHING"
            connection.execute(keep, (Jsonb(search), Jsonb(answer)))
            _timed(connection, times[sort, SIDES[2]], _KEPT, Jsonb(search))
    return {cell: statistics.median(found) for cell, found in times.items()}


def _bodies(number: int) -> list[dict[str, Any]]:
    west = number % 170
    return [
        {"bbox": [west, 0, west + 10, 60], "limit": 10},
        {"limit": 10},
        {"ids": [f"old_{number * 7 % ITEMS}"]},
    ]


def _timed(connection: psycopg.Connection[Any], times: list[float], statement: LiteralString, body: Jsonb) -> Any:
    before = time.perf_counter()
    rows = connection.execute(statement, (body,)).fetchall()
    times.append((time.perf_counter() - before) * 1000)
    return rows[0][0] if rows else None
