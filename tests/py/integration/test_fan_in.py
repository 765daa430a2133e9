"""Fan-in under many workers: each job ends, each stage advances once, in the transaction of its last completion."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .drain import drain

RACE = Jsonb(
    [
        {"fan_out": "count", "path": "$.n", "max_attempts": 50, "backoff_seconds": 0.05},
        {"max_attempts": 50, "backoff_seconds": 0.05},
    ]
)


@pytest.fixture
def race(engine_database: Any) -> Any:
    """A database with the tests' helpers, 300 jobs of 10 adjacent tasks, and a table for effects."""
    with engine_database.connect("superuser") as admin:
        admin.execute("SELECT tests.given_workflow('race', %s)", (RACE,))
        admin.execute("CREATE TABLE tests_effects (task_id bigint, attempt integer)")
        admin.execute("GRANT SELECT, INSERT ON tests_effects TO geomill_worker")
        admin.execute("GRANT SELECT ON app.jobs TO geomill_worker")  # to see that all are done
        admin.execute("SELECT app.submit_job('race', jsonb_build_object('n', 10, 'i', i)) FROM generate_series(1, 300) AS i")
    return engine_database


def one(admin: psycopg.Connection[Any], query: str) -> Any:
    row = admin.execute(query).fetchone()
    assert row is not None
    return row[0]


def assert_invariants(admin: psycopg.Connection[Any]) -> None:
    """What must hold whenever nothing runs."""
    assert one(admin, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')") == 0
    assert one(
        admin,
        "SELECT count(*) FROM app.tasks AS t JOIN app.stages AS s USING (stage_id) WHERE t.status IN ('pending', 'processing')"
        " OR s.status IN ('pending', 'processing')",
    ) == 0, "no open task, no open stage"  # fmt: skip
    twice = one(admin, "SELECT count(*) FROM (SELECT FROM tests_effects GROUP BY task_id HAVING count(*) > 1) AS twice")
    assert twice == 0, "effects once"
    assert one(
        admin,
        "SELECT count(*) FROM tests_effects AS e WHERE NOT EXISTS (SELECT FROM app.tasks AS t"
        " WHERE t.task_id = e.task_id AND t.attempt = e.attempt AND t.status = 'completed')",
    ) == 0, "no effect of an attempt that did not complete"  # fmt: skip
    assert one(admin, "SELECT count(*) FROM app.stages WHERE remaining <> 0") == 0
    assert one(admin, "SELECT count(*) FROM app.ready_stages") == 0
    # The stage's row and the last task that it waited for were written by one transaction, which also made what follows.
    assert one(
        admin,
        "SELECT count(*) FROM app.stages AS s WHERE s.status = 'completed' AND s.tasks > 0 AND NOT EXISTS"
        " (SELECT FROM app.tasks AS t WHERE t.stage_id = s.stage_id AND t.xmin = s.xmin)",
    ) == 0, "each stage ended in the transaction of a completion of its own"  # fmt: skip


def test_300_jobs_end_with_the_janitor_off(race: Any) -> None:
    with race.connect("superuser") as admin:
        tally = drain(race.dsn("worker"), admin, processes=16, seconds=400)
        assert tally.unexpected == []
        assert one(admin, "SELECT count(*) FROM app.jobs WHERE status = 'completed'") == 300
        assert one(admin, "SELECT count(*) FROM app.janitor_runs") == 0
        assert tally.deadlocks == 0
        assert_invariants(admin)
        assert one(
            admin,
            "SELECT count(*) FROM app.stages AS later JOIN app.stages AS s ON s.job_id = later.job_id AND s.stage = later.stage - 1"
            " JOIN app.tasks AS t ON t.stage_id = later.stage_id"
            " WHERE later.created_at < s.completed_at - interval '1 second'",
        ) == 0  # fmt: skip


def test_terminated_backends_and_cancelled_jobs(race: Any) -> None:
    with race.connect("superuser") as admin:
        tally = drain(race.dsn("worker"), admin, processes=16, seconds=400, kills=25, cancels=15)
        assert tally.unexpected == []
        assert tally.deadlocks == 0
        others = "SELECT jsonb_agg(jsonb_build_array(j.status, j.error_details, app.why(j.job_id))) FROM app.jobs AS j"
        assert one(admin, others + " WHERE j.status NOT IN ('completed', 'cancelled')") is None
        assert (
            one(admin, "SELECT jsonb_agg(jsonb_build_array(r.error, r.parts)) FROM app.janitor_runs AS r WHERE r.error IS NOT NULL") is None
        )
        assert_invariants(admin)


def test_without_the_fan_in_lock_a_job_is_stranded(engine_database: Any) -> None:
    """The control: what the tests above wait for in vain happens as soon as the lock is taken out, else they prove nothing."""
    with (
        engine_database.connect("superuser") as admin,
        engine_database.connect("superuser", autocommit=False) as one_,
        engine_database.connect("superuser", autocommit=False) as last,
    ):
        admin.execute(
            "CREATE OR REPLACE FUNCTION app.lock_jobs(task_ids bigint[], alone bigint[] DEFAULT '{}') RETURNS void"
            " LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN END; $$"
        )
        admin.execute("SELECT app.submit_job('hello_world', '{\"n\": 2}')")
        for worker, connection in (("w1", one_), ("w2", last)):
            task = admin.execute("SELECT task_id, attempt FROM app.claim_tasks(%s, NULL, 1)", (worker,)).fetchone()
            connection.execute("SELECT app.complete_task_and_check_stage(%s, %s, '{}')", task)
        one_.commit()
        last.commit()
        assert one(admin, "SELECT count(*) FROM app.tasks WHERE status IN ('pending', 'processing')") == 0
        assert one(admin, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')") == 1


def test_the_next_stage_exists_in_the_same_commit(engine_database: Any) -> None:
    """Another connection never sees a completed stage without its successor's tasks."""
    with engine_database.connect("superuser", autocommit=False) as worker, engine_database.connect("superuser") as watcher:
        job = worker.execute("SELECT app.submit_job('hello_world', '{\"n\": 2}')").fetchone()[0]
        worker.commit()
        for _ in range(2):
            task = worker.execute("SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1)").fetchone()
            worker.execute("SELECT app.complete_task_and_check_stage(%s, %s, '{}')", task)
            seen = watcher.execute("SELECT count(*), count(completed_at) FROM app.stages WHERE job_id = %s", (job,)).fetchone()
            assert seen == (1, 0), "nothing of it is seen before the commit"
            worker.commit()
        seen = watcher.execute(
            "SELECT s.stage, s.tasks, count(t.*) FROM app.stages AS s JOIN app.tasks AS t USING (stage_id)"
            " WHERE s.job_id = %s GROUP BY 1, 2 ORDER BY 1",
            (job,),
        ).fetchall()
        assert seen == [(1, 2, 2), (2, 2, 2)]


def test_what_a_rolled_back_claim_leaves_is_soon_found(engine_database: Any) -> None:
    """A worker goes on behind its last task; what lies before it, because another's claim was rolled back, is not left to the end."""
    with engine_database.connect("superuser") as worker, engine_database.connect("superuser", autocommit=False) as other:
        worker.execute("SELECT tests.given_workflow('race', %s)", (RACE,))
        worker.execute("SELECT app.submit_job('race', '{\"n\": 500}')")
        turn = "SELECT task_id, attempt, task_index FROM app.turn(%s, %s, NULL, 2)"
        order: list[int] = []
        claimed = worker.execute(turn, ("one", Jsonb([]))).fetchall()
        left = other.execute(turn, ("two", Jsonb([]))).fetchall()
        while claimed and len(order) < 500:
            order += [index for _, _, index in claimed]
            if len(order) == 10:
                other.rollback()
            claimed = worker.execute(turn, ("one", Jsonb([{"task_id": t, "attempt": a} for t, a, _ in claimed]))).fetchall()
        assert sorted(order) == list(range(500)), "each once"
        assert max(order.index(index) for _, _, index in left) < 350


def test_who_comes_to_a_stage_takes_what_a_rolled_back_claim_left(engine_database: Any) -> None:
    """Only who goes on behind his own last task passes it by."""
    with engine_database.connect("superuser") as worker, engine_database.connect("superuser", autocommit=False) as other:
        worker.execute("SELECT tests.given_workflow('race', %s)", (RACE,))
        worker.execute("SELECT app.submit_job('race', '{\"n\": 10}')")
        turn = "SELECT task_id FROM app.turn(%s, '[]', NULL, 2)"
        worker.execute("SELECT app.register_worker('one')")
        left = other.execute(turn, ("two",)).fetchall()
        other.rollback()
        assert worker.execute(turn, ("one",)).fetchall() == left
