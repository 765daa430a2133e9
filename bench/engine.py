"""The engine beside its floor: `app.turn`, as deployed with every feature on, and two bare UPDATEs.

The two sides alternate, run by run, on the same server with the same number of clients and the same batch; a figure is the ratio
of the medians. pgbench drives both, with prepared statements and `synchronous_commit` on.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg
from psycopg import sql

from bench.pgbench import SQL, Run, pgbench

_RUN = count(1)


@dataclass(frozen=True)
class Case:
    """One row of the report."""

    batch: int
    clients: int
    stage_size: int
    target: float


CASES = [Case(50, 4, 1_000, 0.75), Case(50, 4, 100_000, 0.75), Case(1, 16, 1_000, 0.45)]


@dataclass(frozen=True)
class Figure:
    """The runs of a case, side by side, and how far the tables of the tasks grew."""

    case: Case
    floor: list[Run]
    engine: list[Run]
    table: int
    indexes: int

    @property
    def ratio(self) -> float:
        return median(self.engine) / median(self.floor)


def median(runs: list[Run]) -> float:
    """The median rate."""
    return statistics.median(run.rate for run in runs)


def median_cpu(runs: list[Run]) -> float | None:
    """The median of the CPU time a task, where it is known."""
    known = [run.cpu for run in runs if run.cpu is not None]
    return statistics.median(known) if known else None


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the floor's table and the workflow of the no-op tasks."""
    connection.execute((SQL / "floor.sql").read_bytes())
    connection.execute((SQL / "workflow.sql").read_bytes())


def fill_floor(connection: psycopg.Connection[Any], tasks: int) -> None:
    """The floor's table with so many tasks, and nothing else."""
    connection.execute("TRUNCATE bench_floor.task")
    connection.execute("INSERT INTO bench_floor.task (payload) SELECT '{\"k\": 1}' FROM generate_series(1, %s)", (tasks,))
    connection.execute("VACUUM ANALYZE bench_floor.task")


def empty_engine(connection: psycopg.Connection[Any]) -> None:
    """No job, no task, no worker."""
    connection.execute(
        "TRUNCATE app.jobs, app.stages, app.tasks, app.ready_stages, app.task_results, app.task_errors, app.task_inputs, app.workers"
    )


def submit(connection: psycopg.Connection[Any], stage_size: int, tasks: int) -> None:
    """Jobs of one stage each, with so many tasks in all."""
    connection.execute(
        "SELECT count(app.submit_job('bench', jsonb_build_object('n', %s::integer, 'i', i, 'run', %s::integer)))"
        " FROM generate_series(1, %s) AS i",
        (stage_size, next(_RUN), max(1, tasks // stage_size)),
    )


def fill_engine(connection: psycopg.Connection[Any], stage_size: int, tasks: int) -> None:
    """The engine with so many tasks, and nothing else."""
    empty_engine(connection)
    submit(connection, stage_size, tasks)
    for table in ("tasks", "stages", "jobs", "ready_stages"):
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier("app", table)))


def floor_run(connection: psycopg.Connection[Any], dsn: str, case: Case, **limit: Any) -> Run:
    """One run of the floor."""
    return pgbench(connection, dsn, SQL / f"floor_turn_{case.batch}.sql", clients=case.clients, tasks_each=case.batch, **limit)


def engine_run(connection: psycopg.Connection[Any], dsn: str, case: Case, **limit: Any) -> Run:
    """One run of the engine."""
    variables = {"run": next(_RUN), "batch": case.batch, "finished": "[]"}
    return pgbench(
        connection, dsn, SQL / "engine_turn.sql", clients=case.clients, tasks_each=case.batch, variables=variables, **limit
    )  # fmt: skip


def measure(connection: psycopg.Connection[Any], dsn: str, case: Case, *, runs: int, seconds: int, tasks: int) -> Figure:
    """Alternate floor and engine `runs` times; each run finds the same tables, freshly filled with `tasks` tasks."""
    floor: list[Run] = []
    engine: list[Run] = []
    table = indexes = 0
    for _ in range(runs):
        fill_floor(connection, tasks)
        floor.append(floor_run(connection, dsn, case, seconds=seconds))
        fill_engine(connection, case.stage_size, tasks)
        engine.append(engine_run(connection, dsn, case, seconds=seconds))
        left = connection.execute(
            "SELECT count(*), pg_table_size('app.tasks'), pg_indexes_size('app.tasks') FROM app.ready_stages"
        ).fetchone()
        assert left is not None
        if not left[0]:
            raise RuntimeError(f"the engine ran out of tasks in {seconds} s: raise the number of tasks, or its rate is idle turns")
        table, indexes = max(table, left[1]), max(indexes, left[2])
    return Figure(case, floor, engine, table, indexes)


def measure_fan_out(connection: psycopg.Connection[Any], *, runs: int, tasks: int) -> tuple[list[float], list[float]]:
    """Rows per second of a bare INSERT … SELECT, and of `advance_job_stage` into a stage of as many tasks."""
    bare: list[float] = []
    engine: list[float] = []
    for _ in range(runs):
        empty_engine(connection)
        connection.execute("TRUNCATE bench_floor.task")
        row = connection.execute("SELECT app.submit_job('bench_fan_out', jsonb_build_object('n', %s::integer))", (tasks,)).fetchone()
        assert row is not None
        # The first stage is done but for the advance, which then has only the fan-out to do.
        connection.execute("UPDATE app.tasks SET status = 'processing'")
        connection.execute("UPDATE app.tasks SET status = 'completed'")
        for statement, parameters, into in (
            ("INSERT INTO bench_floor.task (payload) SELECT '{\"k\": 1}' FROM generate_series(1, %s)", (tasks,), bare),
            ("SELECT app.advance_job_stage(%s, 1)", (row[0],), engine),
        ):
            into.append(tasks / timed(connection, statement, parameters))
    return bare, engine


def timed(connection: psycopg.Connection[Any], statement: Any, parameters: tuple[object, ...] = ()) -> float:
    """Seconds that a statement takes, its commit included, by the server's clock."""
    before = connection.execute("SELECT clock_timestamp()").fetchone()
    connection.execute(statement, parameters)
    after = connection.execute("SELECT clock_timestamp()").fetchone()
    assert before is not None
    assert after is not None
    return float((after[0] - before[0]).total_seconds())
