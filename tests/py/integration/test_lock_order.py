"""What operators and workers do to the same job at the same moment, round after round: nobody is the victim of a deadlock.

tests/py/chaos interleaves pairs at every statement; here all of them meet at once, on several jobs whose tasks share turns.
"""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.py.platform.together import Call, together, value
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

ROUNDS = 12
JOBS = 4
FATAL = {"code": "TEST_FAILURE", "category": "system", "message": "as the test wants it"}
STAGES = Jsonb([{"fan_out": "count", "path": "$.n", "failure_policy": "continue"}, {"fan_out": "match_previous"}])
POLITE = {"GM404", "GM409"}
"""Refusals: the job has ended, the attempt is stale, nothing is to be retried."""


def _politely(connection: psycopg.Connection[Any], statement: str, arguments: tuple[Any, ...]) -> str | None:
    try:
        connection.execute(statement.encode(), arguments)
    except psycopg.Error as error:
        if error.sqlstate not in POLITE:
            raise
        return error.sqlstate
    return None


def _on_each_job(jobs: list[str], statement: str, seed: int) -> Call:
    """The statement on each job, in an order of its own."""

    def act(connection: psycopg.Connection[Any]) -> list[str | None]:
        return [_politely(connection, statement, (job_id,)) for job_id in random.Random(seed).sample(jobs, len(jobs))]

    return act


def _redrive(connection: psycopg.Connection[Any]) -> None:
    for (task_id,) in connection.execute("SELECT task_id FROM app.tasks WHERE status IN ('failed', 'cancelled') LIMIT 8").fetchall():
        _politely(connection, "SELECT app.redrive_task(%s)", (task_id,))


def _turns(name: str, seed: int) -> Call:
    """Reports of several jobs in one turn, some of them errors, in no order."""

    def work(connection: psycopg.Connection[Any]) -> None:
        rng = random.Random(seed)
        finished: list[dict[str, Any]] = []
        for _ in range(6):
            claim = "SELECT task_id, attempt FROM app.turn(%s, %s, NULL, 7)"
            claimed = connection.execute(claim, (name, Jsonb(finished))).fetchall()
            finished = [
                {"task_id": task, "attempt": attempt} | ({"error": FATAL} if rng.random() < 0.3 else {}) for task, attempt in claimed
            ]
            rng.shuffle(finished)
        connection.execute("SELECT * FROM app.turn(%s, %s, NULL, 0)", (name, Jsonb(finished)))

    return work


def _release(*names: str) -> Call:
    """What these workers hold is given back while they work, as by an operator who does not know that they live."""

    def act(connection: psycopg.Connection[Any]) -> None:
        for _ in range(10):
            for name in names:
                connection.execute("SELECT app.release_tasks(%s)", (name,))

    return act


def _pause_and_resume(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT app.pause_client('hub', 'x')")
    connection.execute("SELECT app.resume_client('hub')")


def _held(name: str) -> Call:
    """Completions under a hold: the effects' transaction takes its locks in two steps."""

    def work(connection: psycopg.Connection[Any]) -> None:
        for task in connection.execute("SELECT task_id, attempt FROM app.claim_tasks(%s, NULL, 3)", (name,)).fetchall():
            try:
                with connection.transaction():
                    connection.execute("SELECT app.hold_task(%s, %s)", task)
                    connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, '{}')", task)
            except psycopg.Error as error:
                if error.sqlstate not in POLITE:
                    raise

    return work


def test_nobody_is_the_victim_of_a_deadlock(engine_database: Database) -> None:
    with engine_database.connect() as admin:
        admin.execute("SELECT tests.given_workflow('pairs', %s)", (STAGES,))
        admin.execute("SELECT app.set_cap('client', 'hub', 9)")
        submit = "SELECT app.submit_job_with_options('pairs', %s, %s)"
        for number in range(ROUNDS):
            jobs = [
                value(admin, submit, Jsonb({"n": 12, "i": [number, i]}), Jsonb({"client_id": "hub"} if i % 2 else {})) for i in range(JOBS)
            ]
            outcomes = together(
                lambda: engine_database.connect(options="-c deadlock_timeout=100ms"),
                [
                    _turns(f"a{number}", number), _turns(f"b{number}", -number - 1), _held(f"h{number}"), _redrive,
                    _release(f"a{number}", f"b{number}"),
                    _on_each_job(jobs, "SELECT app.cancel_job(%s)", number), _on_each_job(jobs, "SELECT app.retry_job(%s)", number + 1),
                    _on_each_job(jobs, "SELECT * FROM app.advance_job_stage(%s, 1)", number + 2),
                    lambda connection: value(connection, "SELECT app.run_janitor()"),
                    lambda connection: value(connection, "SELECT app.set_cap('task_type', 'work', 11)"),
                    _pause_and_resume,
                ],
            )  # fmt: skip
            assert Counter(outcome.sqlstate for outcome in outcomes if outcome.error) == Counter()
        assert value(admin, "SELECT count(*) FROM app.janitor_runs WHERE error IS NOT NULL") == 0


@pytest.mark.parametrize(
    ("held_by_another", "errors", "free"),
    [
        pytest.param(1, {}, {2, 3, 4, 5, 6, 7, 8}, id="nothing is claimed before the report"),
        pytest.param(0, {0: FATAL}, {1, 2, 3, 4, 5, 6, 7, 8}, id="what fails in its place among what is completed"),
    ],
)
def test_a_turn_takes_its_tasks_in_order_then_claims(
    engine_database: Database, held_by_another: int, errors: dict[int, Any], free: set[int]
) -> None:
    """A turn that waits for one of its tasks has locked those below it, and no other.

    A claim may for a moment lock what another worker has just taken, so two turns that claimed first could each wait for the other's
    task; and what is locked out of order meets app.release_tasks, which takes the same rows in order.
    """
    with engine_database.connect() as admin, engine_database.connect() as other, engine_database.connect() as worker:
        admin.execute("SELECT tests.given_workflow('pairs', %s)", (STAGES,))
        value(admin, "SELECT app.submit_job('pairs', %s)", Jsonb({"n": 9}))
        held = worker.execute("SELECT task_id, attempt, task_index FROM app.turn('w', '[]', NULL, 2)").fetchall()
        backend = worker.info.backend_pid

        def is_waiting() -> bool:
            return bool(value(admin, "SELECT cardinality(pg_blocking_pids(%s)) > 0", backend))

        finished = Jsonb(
            [{"task_id": t, "attempt": attempt} | ({"error": errors[index]} if index in errors else {}) for t, attempt, index in held]
        )
        unlocked = "SELECT t.task_id & 16777215 FROM app.tasks AS t WHERE t.status IN ('pending', 'processing') FOR UPDATE SKIP LOCKED"
        with ThreadPoolExecutor(1) as thread:
            with other.transaction():
                other.execute("SELECT FROM app.tasks WHERE task_id = %s FOR UPDATE", (held[held_by_another][0],))
                turn = thread.submit(lambda: worker.execute("SELECT task_id FROM app.turn('w', %s, NULL, 2)", (finished,)).fetchall())
                wait_for(is_waiting)
                assert {index for (index,) in admin.execute(unlocked)} == free
            assert len(turn.result(timeout=120)) == 2
