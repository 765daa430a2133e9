"""What a data hub does all day (submit, poll, list, search), with few requests in the books and with many: the cost must not grow.

Four logins' worth of calls at once, each on a connection of its own: of ten calls six ask for a status, one submits, one lists, two
search. No worker runs, so that what is measured is the call, and what is submitted waits.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

ROLE = "geomill_bench_hub"
CLIENTS = 4
CALLS = ("submit", "poll", "list", "search")
_ROUND = ("poll", "submit", "poll", "search", "poll", "list", "poll", "search", "poll", "poll")
_NUMBER = count(1)
ITEMS = 1_000
_SEARCH = {"bbox": [0, 0, 10, 10], "datetime": "2024-01-01T00:00:00Z/..", "limit": 10}


@dataclass
class Latencies:
    """Milliseconds of each call, by kind; and how many calls a second that was, all together."""

    calls: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in CALLS})
    rate: float = 0.0

    def p50(self, kind: str) -> float:
        return statistics.median(self.calls[kind])

    def p95(self, kind: str) -> float:
        return statistics.quantiles(self.calls[kind], n=20, method="inclusive")[-1]


@contextmanager
def hub(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A client with a collection of a thousand items, for as long as it is measured."""
    role = sql.Identifier(ROLE)
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
    connection.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE geomill_client").format(role))
    try:
        connection.execute("SELECT platform.create_client('bench_hub', %s, 'benchhub', 'Of the benchmark')", (ROLE,))
        connection.execute("SELECT platform.allow_source_root('bench_hub', '/srv/bench/')")
        connection.execute("SET search_path = pgstac, public")
        connection.execute("SELECT create_items(%s)", (Jsonb([_item(n) for n in range(ITEMS)]),))
        connection.execute("RESET search_path")
        yield
    finally:
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def _item(n: int) -> dict[str, Any]:
    point = [n % 180, n % 90]
    return {
        "type": "Feature", "stac_version": "1.1.0", "id": f"old_{n}", "collection": "benchhub_rasters", "links": [], "assets": {},
        "bbox": point + point, "geometry": {"type": "Point", "coordinates": point}, "properties": {"datetime": "2024-06-01T00:00:00Z"},
    }  # fmt: skip


def fill(connection: psycopg.Connection[Any], requests: int) -> None:
    """Books with so many requests that are done, with a revision and a call each, over a year."""
    connection.execute("SET session_replication_role = replica")
    connection.execute(
        """
        INSERT INTO platform.requests (request_id, client_id, dataset_id, resource_id, version_id, request_type, source_path, stac_item_id,
                                       stac_collection, content_hash, status, progress_percent, correlation_id, endpoints,
                                       published_revision, created_at, started_at, completed_at)
        SELECT left(app.sha256_hex(n::text), 32), 'bench_hub', 'old', n::text, '1', 'raster', '/srv/bench/' || n || '.tif',
               'old_' || n, 'benchhub_rasters', repeat('0', 64), 'completed', 100, n::text, '{"cog": "file:///x"}', 1, m.at, m.at, m.at
          FROM generate_series(1, %(requests)s) AS n
         CROSS JOIN LATERAL (SELECT now() - n * (interval '365 days' / %(requests)s) AS at) AS m
        """,
        {"requests": requests},
    )
    connection.execute(
        """
        INSERT INTO platform.outcomes (client_id, request_id, revision, request_type, status, seconds, ended_at)
        SELECT r.client_id, r.request_id, 1, r.request_type, r.status, 30, r.completed_at
          FROM platform.requests AS r WHERE r.dataset_id = 'old'
        """
    )
    connection.execute(
        """
        INSERT INTO app.api_requests (client_id, function_name, request_id, created_at)
        SELECT r.client_id, 'get_request_status', r.request_id, r.created_at FROM platform.requests AS r WHERE r.dataset_id = 'old'
        """
    )
    connection.execute("RESET session_replication_role")
    connection.execute("VACUUM ANALYZE platform.requests, platform.outcomes, app.api_requests")


def measure(connect: Callable[[], psycopg.Connection[Any]], *, old: int, seconds: float) -> Latencies:
    """The mixed load, for so long."""
    made = Latencies()
    with ThreadPoolExecutor(CLIENTS) as threads:
        until = time.perf_counter() + seconds
        for one in threads.map(lambda _: _caller(connect, old, until), range(CLIENTS)):
            for kind, times in one.items():
                made.calls[kind] += times
    made.rate = sum(map(len, made.calls.values())) / seconds
    return made


def _caller(connect: Callable[[], psycopg.Connection[Any]], old: int, until: float) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {kind: [] for kind in CALLS}
    with connect() as connection:
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(ROLE)))
        newest = _submit(connection)
        while True:
            for place, kind in enumerate(_ROUND):
                before = time.perf_counter()
                if before > until and times["list"]:
                    return times
                if kind == "submit":
                    newest = _submit(connection)
                elif kind == "poll":
                    wanted = newest if place % 4 == 0 else _old_id(next(_NUMBER) % old + 1)
                    connection.execute("SELECT platform.get_request_status(%s)", (wanted,)).fetchall()
                elif kind == "list":
                    connection.execute("SELECT * FROM platform.list_requests(limit_rows => 100)").fetchall()
                else:
                    connection.execute("SELECT platform.stac_search(%s)", (Jsonb(_SEARCH),)).fetchall()
                times[kind].append((time.perf_counter() - before) * 1000)


def _submit(connection: psycopg.Connection[Any]) -> str:
    n = next(_NUMBER)
    row = connection.execute(
        "SELECT request_id FROM platform.submit_request('new', %s, '1', %s)", (f"r{n}_{time.time_ns()}", f"/srv/bench/{n}.tif")
    ).fetchone()
    assert row is not None
    return str(row[0])


def _old_id(number: int) -> str:
    """As fill has made it: a client was told its ids, and does not ask the server for them."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]
