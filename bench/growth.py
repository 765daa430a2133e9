"""What the engine's cost must not grow with: a transaction that stays open, and the number of tasks that wait or exist."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg

from bench.engine import Case, engine_run, fill_engine, fill_floor, floor_run, median, timed
from bench.pgbench import Run

_RUN = count(1)
_CLAIM = "SELECT count(*) FROM app.turn(%s, '[]', '{bench}', 50)"


@dataclass(frozen=True)
class OldTransaction:
    """Rates without and with an old transaction open; milliseconds of the next claim in both."""

    engine: list[Run]
    engine_held: list[Run]
    floor: list[Run]
    floor_held: list[Run]
    claim: list[float]
    claim_held: list[float]

    @property
    def ratio(self) -> float:
        return median(self.engine_held) / median(self.engine)

    @property
    def claim_ratio(self) -> float:
        return statistics.median(self.claim_held) / statistics.median(self.claim)


@contextmanager
def _old_transaction(dsn: str) -> Iterator[None]:
    """A snapshot that nothing which dies from now on may disappear from."""
    with psycopg.connect(dsn) as held:
        held.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        held.execute("SELECT count(*) FROM app.jobs")
        yield


def measure_old_transaction(connection: psycopg.Connection[Any], dsn: str, *, runs: int, tasks: int) -> OldTransaction:
    """100k tasks through 4 workers in batches of 50, in turn with and without an old transaction; then one claim."""
    case = Case(50, 4, 10_000, 0.8)
    figure = OldTransaction([], [], [], [], [], [])
    transactions = tasks // case.batch // case.clients
    for _ in range(runs):
        for is_held, engine, floor, claim in (
            (False, figure.engine, figure.floor, figure.claim),
            (True, figure.engine_held, figure.floor_held, figure.claim_held),
        ):
            # Half as much again: what is claimed last must not be the end.
            fill_engine(connection, case.stage_size, tasks * 3 // 2)
            fill_floor(connection, tasks * 3 // 2)
            with _held(dsn, is_held):
                engine.append(engine_run(connection, dsn, case, transactions=transactions))
                claim.append(_next_claim(connection))
                floor.append(floor_run(connection, dsn, case, transactions=transactions))
    return figure


def measure_small_jobs(connection: psycopg.Connection[Any], dsn: str, *, runs: int, tasks: int) -> tuple[list[Run], list[Run]]:
    """Jobs of ten tasks, one task a turn, 4 workers, in turn without and with an old transaction: many dead rows for little work."""
    case = Case(1, 4, 10, 0.8)
    rates: tuple[list[Run], list[Run]] = ([], [])
    for _ in range(runs):
        for is_held in (False, True):
            fill_engine(connection, case.stage_size, tasks * 3 // 2)
            with _held(dsn, is_held):
                rates[is_held].append(engine_run(connection, dsn, case, transactions=tasks // case.clients))
    return rates


@contextmanager
def _held(dsn: str, is_held: bool) -> Iterator[None]:
    if not is_held:
        yield
        return
    with _old_transaction(dsn):
        yield


def _next_claim(connection: psycopg.Connection[Any]) -> float:
    """Milliseconds of a claim of 50: the median of 20, each given back at the end."""
    worker = f"bench-claim-{next(_RUN)}"
    connection.execute(_CLAIM, (worker,), prepare=True)
    return statistics.median(timed(connection, _CLAIM, (worker,)) * 1000 for _ in range(20))


def measure_backlog(connections: dict[int, psycopg.Connection[Any]], *, runs: int, cycles: int) -> dict[int, list[float]]:
    """Microseconds of a turn of one task (complete and claim), by the number of tasks that wait, databases side by side."""
    times: dict[int, list[float]] = {size: [] for size in connections}
    worker = f"bench-backlog-{next(_RUN)}"
    for size, connection in connections.items():
        fill_engine(connection, min(size, 100_000), size)
    for _ in range(runs):
        for size, connection in connections.items():
            times[size].append(_cycles(connection, worker, cycles))
    return times


def _cycles(connection: psycopg.Connection[Any], worker: str, cycles: int) -> float:
    finished = "[]"
    taken: list[float] = []
    for _ in range(cycles):
        row = connection.execute(
            "SELECT t.task_id, t.attempt, b.now, clock_timestamp() FROM (SELECT clock_timestamp() AS now OFFSET 0) AS b,"
            " LATERAL (SELECT * FROM app.turn(%s, %s::jsonb, CASE WHEN b.now IS NOT NULL THEN '{bench}'::text[] END, 1)) AS t",
            (worker, finished), prepare=True,
        ).fetchone()  # fmt: skip
        assert row is not None
        finished = f'[{{"task_id":{row[0]},"attempt":{row[1]}}}]'
        taken.append((row[3] - row[2]).total_seconds() * 1e6)
    connection.execute("SELECT app.turn(%s, %s::jsonb, '{bench}', 0)", (worker, finished))
    return statistics.median(taken)


def measure_views(connections: dict[int, psycopg.Connection[Any]], *, runs: int) -> dict[str, dict[int, float]]:
    """Milliseconds of what an operator asks, by the number of tasks that exist: medians."""
    asked: dict[str, dict[int, float]] = {"app.why": {}, "app.list_jobs": {}, "app.check_job_completion": {}, "app.queue_health": {}}
    for size, connection in connections.items():
        row = connection.execute("SELECT job_id FROM app.jobs LIMIT 1").fetchone()
        assert row is not None
        for name, statement, parameters in (
            ("app.why", "SELECT app.why(%s)", (row[0],)),
            ("app.list_jobs", "SELECT count(*) FROM app.list_jobs()", ()),
            ("app.check_job_completion", "SELECT total_tasks, completed_tasks FROM app.check_job_completion(%s)", (row[0],)),
            ("app.queue_health", "SELECT count(*) FROM app.queue_health()", ()),
        ):
            timed(connection, statement, parameters)
            asked[name][size] = statistics.median(timed(connection, statement, parameters) * 1000 for _ in range(max(runs, 5)))
    return asked
