"""Many processes drain one database of jobs; the invariants are read afterwards. The library behind test_fan_in.

Each process works as real workers do: half of them by `turn`, half by single claims with an effect row in a held
transaction. Some completions are sent twice, some attempts fail once. Backends are terminated and jobs cancelled from
outside where asked.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from codegen.connection import connect_to

STALE = "GM409"
ERROR = {"code": "TEST_FAILURE", "category": "system", "message": "as the test wants it", "retryable": True}


@dataclass
class Tally:
    """What the processes saw."""

    completed: int = 0
    lost_connections: int = 0
    deadlocks: int = 0
    unexpected: list[str] = field(default_factory=list)


def _all_done(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT NOT EXISTS (SELECT FROM app.jobs WHERE status IN ('pending', 'processing'))").fetchone()
    assert row is not None
    return bool(row[0])


def _turns(connection: psycopg.Connection[Any], name: str, rng: random.Random, tally: Tally, until: float) -> None:
    finished: list[dict[str, Any]] = []
    while time.monotonic() < until:
        claimed = connection.execute(
            "SELECT task_id, attempt FROM app.turn(%s, %s, NULL, %s)", (name, Jsonb(finished), rng.choice([1, 2, 3, 5, 7]))
        ).fetchall()
        tally.completed += len(finished)
        finished = [{"task_id": task, "attempt": attempt, "result_data": {"by": name}} for task, attempt in claimed]
        if finished and rng.random() < 0.03:
            first = finished[0]
            again = (first["task_id"], first["attempt"])
            connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, NULL)", again)
        if not finished and _all_done(connection):
            return


def _single(connection: psycopg.Connection[Any], name: str, rng: random.Random, tally: Tally, until: float) -> None:
    while time.monotonic() < until:
        claimed = connection.execute("SELECT task_id, attempt FROM app.claim_tasks(%s, NULL, 1)", (name,)).fetchone()
        if claimed is None:
            if _all_done(connection):
                return
            continue
        if rng.random() < 0.02:
            connection.execute("SELECT * FROM app.fail_task(%s, %s, %s)", (*claimed, Jsonb(ERROR)))
            continue
        try:
            with connection.transaction():
                connection.execute("SELECT app.hold_task(%s, %s)", claimed)
                connection.execute("INSERT INTO tests_effects (task_id, attempt) VALUES (%s, %s)", claimed)
                connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, NULL)", claimed)
            tally.completed += 1
        except psycopg.Error as error:
            if error.sqlstate != STALE:
                raise


def _process(dsn: str, number: int, seconds: float, results: Any) -> None:
    rng = random.Random(number)
    tally = Tally()
    until = time.monotonic() + seconds
    generation = 0
    while time.monotonic() < until:
        generation += 1
        try:
            with connect_to(dsn) as connection:
                name = f"drain-{number}-{generation}"
                connection.execute("SELECT set_config('application_name', %s, false)", (name,))
                (_turns if number % 2 == 0 else _single)(connection, name, rng, tally, until)
                break
        except psycopg.errors.DeadlockDetected:
            tally.deadlocks += 1
        except psycopg.OperationalError:
            tally.lost_connections += 1
        except psycopg.Error as error:
            tally.unexpected.append(f"{error.sqlstate}: {error}")
            break
    results.put(tally)


def drain(dsn: str, admin: psycopg.Connection[Any], *, processes: int, seconds: float, kills: int = 0, cancels: int = 0) -> Tally:
    """Run `processes` workers until no job is open; terminate `kills` of their backends and cancel `cancels` jobs meanwhile."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_process, args=(dsn, number, seconds, results)) for number in range(processes)]
    for worker in workers:
        worker.start()
    rng = random.Random(0)
    reclaim = kills > 0
    until = time.monotonic() + seconds
    while any(worker.is_alive() for worker in workers) and time.monotonic() < until:
        time.sleep(0.02)
        if kills > 0:
            kills -= admin.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND query LIKE '%app.%'"
                " ORDER BY random() LIMIT 1) AS one"
            ).fetchone()[0]  # type: ignore[index]
        if reclaim:
            # The dead are found by their silence; here the silence of who has no backend any more is cut short.
            admin.execute(
                "UPDATE app.workers SET last_beat = last_beat - interval '1 hour' WHERE status = 'alive'"
                " AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.application_name = worker_id)"
            )
            admin.execute("SELECT app.run_janitor()")
        if cancels and rng.random() < 0.3:
            open_jobs = admin.execute(
                "SELECT job_id FROM app.jobs WHERE status IN ('pending', 'processing') ORDER BY random() LIMIT 1"
            ).fetchone()
            if open_jobs:
                admin.execute("SELECT app.cancel_job(%s, 'the test wants it')", open_jobs)
                cancels -= 1
    total = Tally()
    for _ in workers:
        tally = results.get(timeout=120)
        total.completed += tally.completed
        total.lost_connections += tally.lost_connections
        total.deadlocks += tally.deadlocks
        total.unexpected += tally.unexpected
    for worker in workers:
        worker.join(timeout=120)
    return total
