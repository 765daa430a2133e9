"""What asking costs: status, list and why of a stage read as much with 8000 tasks as with 80000."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

FEW, MANY = 8_000, 80_000
"""Both beyond what is simply counted; ten times as many tasks."""

WIDE = Jsonb([{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "max_attempts": 2, "backoff_seconds": 3600}])
ERROR = {"code": "TEST_FAILURE", "category": "data", "message": "as the test wants it", "retryable": True}

ASKING: dict[str, LiteralString] = {
    "job_progress": "SELECT * FROM app.job_progress({job})",
    "check_job_completion": "SELECT * FROM app.check_job_completion({job})",
    "why": "SELECT app.why({job})",
    "list_jobs": "SELECT * FROM app.list_jobs()",
    "a client's status": "SELECT * FROM platform.request_progress('no such request')",
}


def _turn(admin: psycopg.Connection[Any], finished: list[dict[str, Any]], wanted: int) -> list[dict[str, Any]]:
    rows = admin.execute("SELECT task_id, attempt FROM app.turn('w1', %s, NULL, %s)", (Jsonb(finished), wanted))
    return [{"task_id": task, "attempt": attempt, "result_data": {"n": task}} for task, attempt in rows]


def _given_stage(admin: psycopg.Connection[Any], tasks: int) -> str:
    """A job in the middle of its only stage: half of it completed, 20 running, 10 waiting for a retry."""
    row = admin.execute("SELECT app.submit_job('wide', jsonb_build_object('n', %s::integer))", (tasks,)).fetchone()
    assert row is not None
    done = 0
    while done < tasks // 2:
        claimed = _turn(admin, [], min(10_000, tasks // 2 - done))
        _turn(admin, claimed, 0)
        done += len(claimed)
    failing = _turn(admin, [], 10)
    _turn(admin, [{"task_id": one["task_id"], "attempt": one["attempt"], "error": ERROR} for one in failing], 20)
    return str(row[0])


def _buffers(database: Database, query: LiteralString, job: str) -> int:
    """Shared buffers that the second call in a session reads; the first fills the catalogue's caches."""
    explain = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}").format(sql.SQL(query).format(job=sql.Literal(job)))
    with database.connect("superuser") as connection:
        for _ in range(2):
            plan = connection.execute(explain).fetchone()
    assert plan is not None
    node = plan[0][0]["Plan"]
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


def _given(database: Database, tasks: int) -> str:
    with database.connect("superuser") as admin:
        admin.execute("SELECT tests.given_workflow('wide', %s)", (WIDE,))
        job = _given_stage(admin, tasks)
        # As autovacuum leaves it.
        admin.execute("VACUUM ANALYZE app.tasks, app.task_results, app.task_errors, app.stages, app.ready_stages, app.workers")
    return job


@pytest.fixture
def small_and_large(server: Any) -> Any:
    """Two databases that differ in the size of a stage and in nothing else."""
    names = ("test_status_few", "test_status_many")
    try:
        databases = [server.create(name, server.engine_template) for name in names]
        yield [(database, _given(database, tasks)) for database, tasks in zip(databases, (FEW, MANY), strict=True)]
    finally:
        for name in names:
            server.drop(name)


def test_asking_costs_the_same_whatever_the_number_of_tasks(small_and_large: Any) -> None:
    for what, query in ASKING.items():
        few, many = (_buffers(database, query, job) for database, job in small_and_large)
        # One more level of an index, for each of the few dozen rows that are looked up by it.
        assert many <= few * 1.25 + 50, f"{what}: {few} buffers with {FEW} tasks, {many} with {MANY}"
        assert many < 2_000, what


def test_the_counts_are_right(small_and_large: Any) -> None:
    for (database, job), tasks in zip(small_and_large, (FEW, MANY), strict=True):
        with database.connect("superuser") as admin:
            told = admin.execute("SELECT tasks, completed, failed FROM app.job_progress(%s)", (job,)).fetchone()
            assert told == (tasks, tasks // 2, 0)
            (words,) = admin.execute("SELECT app.why(%s)", (job,)).fetchone()
            assert (
                f"{tasks // 2} of {tasks} tasks completed, 0 failed, 20 running, {tasks // 2 - 30} ready, 10 waiting for a retry" in words
            )


def test_a_count_of_the_tasks_would_fail_this(small_and_large: Any) -> None:
    """The control: counting the stage, as it was done once, costs ten times as much."""
    counting: LiteralString = (
        "SELECT count(*) FILTER (WHERE t.status = 'completed') FROM app.stages AS s"
        " JOIN app.tasks AS t USING (stage_id) WHERE s.job_id = {job}"
    )
    few, many = (_buffers(database, counting, job) for database, job in small_and_large)
    assert many > few * 5
