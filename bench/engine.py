"""The engine beside its floor: tasks per second of `app.turn`, as deployed, and of two bare UPDATEs.

The two sides alternate, run by run, on the same server with the same number of clients and the same batch; the figure is
the ratio of the medians. pgbench drives both, with prepared statements and `synchronous_commit` as the server has it (on).
"""

from __future__ import annotations

import re
import statistics
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

SQL = Path(__file__).resolve().parent / "sql"
_RUN = count(1)


@dataclass(frozen=True)
class Case:
    """One row of the report."""

    batch: int
    clients: int
    stage_size: int
    target: float


@dataclass(frozen=True)
class Figure:
    """Medians of a case, in tasks per second."""

    case: Case
    floor: float
    engine: float

    @property
    def ratio(self) -> float:
        return self.engine / self.floor


CASES = [Case(50, 4, 1_000, 0.75), Case(50, 4, 100_000, 0.75), Case(1, 16, 1_000, 0.45)]


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the floor's table and the workflow of the no-op tasks."""
    connection.execute((SQL / "floor.sql").read_bytes())
    connection.execute(
        """
        INSERT INTO app.job_types (job_type, description, total_stages, parameter_schema, fingerprint)
        VALUES ('bench', 'no-op tasks', 1, '{}', 'bench') ON CONFLICT DO NOTHING;
        INSERT INTO app.job_stages (job_type, version, stage, name, task_type, fan_out, fan_out_path, max_attempts, backoff_seconds,
                                    backoff_max_seconds, max_runtime_seconds, failure_policy)
        VALUES ('bench', 1, 1, 'no-op', 'bench', 'count', '$.n', 3, 1, 1, 600, 'fail_job') ON CONFLICT DO NOTHING;
        CREATE OR REPLACE FUNCTION app.validate_bench(value jsonb) RETURNS TABLE (filled jsonb, problems jsonb)
        LANGUAGE sql SET search_path = '' AS 'SELECT value, ''[]''::jsonb';
        """
    )


def _pgbench(dsn: str, script: str, clients: int, seconds: int, variables: dict[str, object]) -> float:
    """Transactions per second of one run."""
    command = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", str(SQL / script)]
    for name, value in variables.items():
        command += ["-D", f"{name}={value}"]
    done = subprocess.run([*command, dsn], capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    return float(found[1])


def _fill(connection: psycopg.Connection[Any], case: Case, tasks: int) -> None:
    connection.execute("TRUNCATE bench_floor.task")
    connection.execute("INSERT INTO bench_floor.task (payload) SELECT '{\"k\": 1}' FROM generate_series(1, %s)", (tasks,))
    connection.execute(
        "TRUNCATE app.jobs, app.stages, app.tasks, app.ready_stages, app.task_results, app.task_errors, app.task_inputs, app.workers"
    )
    connection.execute(
        "SELECT count(app.submit_job('bench', jsonb_build_object('n', %s::integer, 'i', i))) FROM generate_series(1, %s) AS i",
        (case.stage_size, max(1, tasks // case.stage_size)),
    )
    for table in (("bench_floor", "task"), ("app", "tasks"), ("app", "stages")):
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(*table)))


def measure(connection: psycopg.Connection[Any], dsn: str, case: Case, *, runs: int, seconds: int, tasks: int) -> Figure:
    """Alternate floor and engine `runs` times; each run finds the same tables, freshly filled with `tasks` tasks."""
    floor, engine = [], []
    for _ in range(runs):
        _fill(connection, case, tasks)
        floor.append(_pgbench(dsn, f"floor_turn_{case.batch}.sql", case.clients, seconds, {}) * case.batch)
        engine.append(
            _pgbench(dsn, "engine_turn.sql", case.clients, seconds, {"run": next(_RUN), "batch": case.batch, "finished": "[]"}) * case.batch
        )
        left = connection.execute("SELECT count(*) FROM app.ready_stages").fetchone()
        assert left is not None
        if not left[0]:
            raise RuntimeError(f"the engine ran out of tasks in {seconds} s: raise the number of tasks, or its rate is idle turns")
    return Figure(case, statistics.median(floor), statistics.median(engine))


def measure_fan_out(connection: psycopg.Connection[Any], *, runs: int, tasks: int) -> tuple[float, float]:
    """Rows per second of a bare INSERT … SELECT, and of submitting a job whose first stage has as many tasks."""
    bare: list[float] = []
    engine: list[float] = []
    for run in range(runs):
        for statement, parameters, into in (
            ("INSERT INTO bench_floor.task (payload) SELECT '{\"k\": 1}' FROM generate_series(1, %s)", (tasks,), bare),
            ("SELECT app.submit_job('bench', jsonb_build_object('n', %s::integer, 'fan_out', %s::integer))", (tasks, run), engine),
        ):
            before = connection.execute("SELECT clock_timestamp()").fetchone()
            connection.execute(statement, parameters)
            after = connection.execute("SELECT clock_timestamp()").fetchone()
            assert before is not None
            assert after is not None
            into.append(tasks / (after[0] - before[0]).total_seconds())
    return statistics.median(bare), statistics.median(engine)
