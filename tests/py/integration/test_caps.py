"""Caps under sixteen connections: never one task too many, all work ends, and every slot is free afterwards."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.py.platform.together import Call, together, value
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

CAP = 3
WORKERS = 15
ERROR = {"code": "TEST_FAILURE", "category": "system", "message": "as the test wants it", "retryable": True}
STAGES = Jsonb([{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "max_attempts": 50, "backoff_seconds": 0}, {}])

RUNNING = """
    SELECT c.kind, count(*) FROM app.tasks AS t
      JOIN app.stages AS s USING (stage_id) JOIN app.jobs AS j USING (job_id)
      JOIN app.caps AS c ON (c.kind, c.name) IN (('task_type', s.task_type), ('client', j.client_id), ('key', j.concurrency_key))
     WHERE t.status = 'processing' GROUP BY c.cap_id
"""

PLACES = """
    SELECT array_agg(p.place ORDER BY p.place) FROM (
        SELECT 'ready' AS place FROM app.ready_stages UNION ALL SELECT 'capped' FROM app.capped_stages
        UNION ALL SELECT 'parked' FROM app.parked_stages) AS p
"""
WAITS = "SELECT cardinality(pg_blocking_pids(%s)) > 0"


@pytest.fixture
def admin(engine_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with engine_database.connect() as connection:
        connection.execute("SELECT tests.given_workflow('capped', %s)", (STAGES,))
        yield connection


def _is_done(connection: psycopg.Connection[Any]) -> bool:
    return bool(value(connection, "SELECT NOT EXISTS (SELECT FROM app.jobs WHERE status IN ('pending', 'processing'))"))


def _worker(number: int, ended: threading.Event) -> Call:
    """Claims by turn and by single claims; completes, fails, gives back, reports late and twice."""

    def work(connection: psycopg.Connection[Any]) -> int:
        rng = random.Random(number)
        name, done = f"w{number}", 0
        finished: list[dict[str, Any]] = []
        while not ended.is_set():
            claim = "SELECT task_id, attempt FROM app.turn(%s, %s, NULL, %s)"
            claimed = connection.execute(claim, (name, Jsonb(finished), rng.choice([1, 2, 5]))).fetchall()
            done += len(finished)
            finished = [{"task_id": task, "attempt": attempt} for task, attempt in claimed]
            for report in finished:
                if rng.random() < 0.1:
                    report["error"] = ERROR
            if finished and rng.random() < 0.1:
                connection.execute("SELECT app.release_tasks(%s)", (name,))
            if not claimed:
                connection.execute("SELECT * FROM app.heartbeat(%s)", (name,))
                if _is_done(connection):
                    ended.set()
        return done

    return work


def _submit(number: int, i: int) -> Call:
    return lambda connection: value(connection, "SELECT app.submit_job('capped', %s)", Jsonb({"n": 5, "i": [number, i]}))


def _watch(ended: threading.Event) -> Call:
    def watch(connection: psycopg.Connection[Any]) -> Counter[str]:
        most: Counter[str] = Counter()
        while not ended.is_set():
            for kind, running in connection.execute(RUNNING):
                most[kind] = max(most[kind], running)
        return most

    return watch


@pytest.mark.parametrize("kinds", [["task_type"], ["client", "key"], ["client", "task_type", "key"]], ids="+".join)
def test_never_more_than_the_cap(engine_database: Database, admin: psycopg.Connection[Any], kinds: list[str]) -> None:
    for kind, name in (("task_type", "work"), ("client", "hub"), ("key", "license")):
        if kind in kinds:
            admin.execute("SELECT app.set_cap(%s, %s, %s)", (kind, name, CAP))
    options = [{"client_id": "hub", "concurrency_key": "license"}, {"client_id": "hub"}, {"concurrency_key": "license"}, {}]
    submit = "SELECT app.submit_job_with_options('capped', %s, %s)"
    jobs = [value(admin, submit, Jsonb({"n": 25, "i": i}), Jsonb(options[i % 4])) for i in range(16)]
    ended = threading.Event()

    def cancel(connection: psycopg.Connection[Any]) -> None:
        for job_id in jobs[:4]:
            connection.execute("SELECT app.cancel_job(%s)", (job_id,))

    outcomes = together(engine_database.connect, [_watch(ended), cancel, *(_worker(number, ended) for number in range(WORKERS))])
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert outcomes[0].value
    assert all(most <= CAP for most in outcomes[0].value.values()), outcomes[0].value
    assert value(admin, "SELECT count(*) FROM app.jobs WHERE status = 'completed'") >= 12
    assert value(admin, "SELECT count(*) FROM app.tasks WHERE status NOT IN ('completed', 'cancelled')") == 0
    assert value(admin, "SELECT count(*) FROM app.slots WHERE task_id IS NOT NULL OR is_surplus") == 0
    assert value(admin, "SELECT count(*) FROM app.slots") == CAP * len(kinds)
    assert value(admin, "SELECT count(*) FROM app.capped_stages") == 0


def test_a_cap_that_changes_while_work_goes_on(engine_database: Database, admin: psycopg.Connection[Any]) -> None:
    for i in range(6):
        value(admin, "SELECT app.submit_job('capped', %s)", Jsonb({"n": 100, "i": i}))
    ended = threading.Event()

    def change(connection: psycopg.Connection[Any]) -> None:
        rng = random.Random(0)
        while not ended.is_set():
            value(connection, "SELECT app.set_cap('task_type', 'work', %s)", rng.choice([1, 3, 8, None]))
        value(connection, "SELECT app.set_cap('task_type', 'work', 2)")

    outcomes = together(engine_database.connect, [change, *(_worker(number, ended) for number in range(7))])
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert value(admin, "SELECT count(*) FROM app.jobs WHERE status = 'completed'") == 6
    assert value(admin, "SELECT array_agg((task_id, is_surplus)::text) FROM app.slots") == ["(,f)", "(,f)"]


def test_sixteen_claim_slots_at_once(engine_database: Database, admin: psycopg.Connection[Any]) -> None:
    """Each submit finds the same free slots: who counted them would let sixteen tasks in."""
    value(admin, "SELECT app.set_cap('task_type', 'work', %s)", CAP)
    for number in range(5):
        outcomes = together(engine_database.connect, [_submit(number, i) for i in range(16)])
        assert [outcome.error for outcome in outcomes if outcome.error] == []
        assert value(admin, "SELECT count(*) FROM app.tasks WHERE status = 'pending' AND run_at < 'infinity'") <= CAP
        value(admin, "SELECT app.admit_tasks(ARRAY(SELECT cap_id FROM app.caps))")
        admitted = """
            SELECT count(*) = %s AND count(DISTINCT t.task_id) = %s FROM app.slots AS s JOIN app.tasks AS t USING (task_id)
             WHERE t.run_at < 'infinity'"""
        assert value(admin, admitted, CAP, CAP)
        for outcome in outcomes:
            admin.execute("SELECT app.cancel_job(%s)", (outcome.value,))
        assert value(admin, "SELECT count(*) FROM app.slots WHERE task_id IS NOT NULL") == 0


def test_a_stage_that_is_paused_while_it_comes_under_a_cap_has_one_place(engine_database: Database, admin: psycopg.Connection[Any]) -> None:
    submit = "SELECT app.submit_job_with_options('capped', '{\"n\": 5}', '{\"client_id\": \"hub\"}')"
    admin.execute(submit)
    with engine_database.connect() as pausing, engine_database.connect() as capping, ThreadPoolExecutor(1) as thread:
        with pausing.transaction():
            pausing.execute("SELECT app.pause_client('hub', 'x')")
            cap = thread.submit(lambda: value(capping, "SELECT app.set_cap('task_type', 'work', 2)"))
            wait_for(lambda: value(admin, WAITS, capping.info.backend_pid))
        cap.result(timeout=120)
    assert value(admin, PLACES) == ["parked"]
    assert value(admin, "SELECT app.resume_client('hub')")
    assert value(admin, PLACES) == ["capped"]


def test_a_pause_takes_the_places_of_stages_in_order(engine_database: Database, admin: psycopg.Connection[Any]) -> None:
    """As a cap does, which would else wait for a later stage's place with an earlier one's in its hands."""
    value(admin, "SELECT app.set_cap('key', 'license', 1)")
    submit = "SELECT app.submit_job_with_options('capped', '{\"n\": 5}', %s)"
    value(admin, submit, Jsonb({"client_id": "hub", "concurrency_key": "license"}))
    value(admin, submit, Jsonb({"client_id": "hub", "identity": "another"}))
    assert value(admin, PLACES) == ["capped", "ready"]
    with engine_database.connect() as other, engine_database.connect() as pausing, ThreadPoolExecutor(1) as thread:
        with other.transaction():
            other.execute("SELECT FROM app.capped_stages FOR UPDATE")
            pause = thread.submit(lambda: pausing.execute("SELECT app.pause_client('hub', 'x')"))
            wait_for(lambda: value(admin, WAITS, pausing.info.backend_pid))
            assert len(admin.execute("SELECT FROM app.ready_stages FOR UPDATE SKIP LOCKED").fetchall()) == 1
        pause.result(timeout=120)
    assert value(admin, PLACES) == ["parked", "parked"]
