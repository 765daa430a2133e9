"""The janitor beside others: workers at full speed, an operator who takes a job up again, a hold that is open."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from .drain import drain
from .test_fan_in import assert_invariants, one

RACE = Jsonb(
    [
        {"fan_out": "count", "path": "$.n", "max_attempts": 50, "backoff_seconds": 0.05},
        {"fan_out": "match_previous", "max_attempts": 50, "backoff_seconds": 0.05},
    ]
)
PARTS_WITH_REPAIRS = (
    "SELECT coalesce(sum(workers_declared_dead + tasks_reclaimed + stages_repaired + (parts #>> '{repair_jobs,repaired}')::integer"
    " + (parts #>> '{repair_requests,requests}')::integer), 0) FROM app.janitor_runs WHERE NOT skipped"
)


def test_a_busy_engine_gives_the_janitor_nothing_to_repair(engine_database: Any) -> None:
    """Every stage counts as old enough to be looked at, in every state that a stage passes through, thousands of times."""
    with engine_database.connect("superuser") as admin, engine_database.connect("superuser") as janitor:
        admin.execute("SELECT tests.given_workflow('race', %s)", (RACE,))
        admin.execute("CREATE TABLE tests_effects (task_id bigint, attempt integer)")
        admin.execute("SELECT app.submit_job('race', jsonb_build_object('n', 1 + i % 10, 'i', i)) FROM generate_series(1, 200) AS i")
        # Every stage and job is an hour old from its beginning: what is younger than a minute would not be looked at.
        janitor.execute("UPDATE app.stages SET created_at = created_at - interval '1 hour'")
        janitor.execute("UPDATE app.jobs SET created_at = created_at - interval '1 hour'")
        janitor.execute(
            "CREATE FUNCTION tests.older() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.created_at := NEW.created_at - interval '1 hour'; RETURN NEW; END; $$"
        )
        janitor.execute("CREATE TRIGGER older BEFORE INSERT ON app.stages FOR EACH ROW EXECUTE FUNCTION tests.older()")
        done = threading.Event()
        runs: list[int] = []

        def run_again_and_again() -> None:
            while not done.is_set():
                runs.append(one(janitor, "SELECT app.run_janitor()"))

        watcher = threading.Thread(target=run_again_and_again)
        watcher.start()
        try:
            tally = drain(engine_database.dsn("superuser"), admin, processes=8, seconds=400)
        finally:
            done.set()
            watcher.join()
        assert tally.unexpected == []
        assert tally.deadlocks == 0
        assert len(runs) > 5
        assert one(admin, "SELECT count(*) FROM app.janitor_runs WHERE error IS NOT NULL") == 0
        assert one(admin, "SELECT sum((parts #>> '{repair_stages,looked_at}')::integer) FROM app.janitor_runs") > 200
        assert one(admin, PARTS_WITH_REPAIRS) == 0
        assert one(admin, "SELECT count(*) FROM app.jobs WHERE status = 'completed'") == 200
        assert_invariants(admin)
        # And it has counted every task's end, in whatever of its runs.
        admin.execute("SELECT tests.move_clock('1 minute')")
        admin.execute("SELECT app.run_janitor()")
        assert one(admin, "SELECT sum(completed) FROM app.task_statistics") == one(admin, "SELECT count(*) FROM app.tasks")


def test_two_janitors_at_once_are_one(engine_database: Any) -> None:
    with engine_database.connect("superuser", autocommit=False) as first, engine_database.connect("superuser") as second:
        first.execute("SELECT app.run_janitor()")
        skipped = one(second, "SELECT app.run_janitor()")
        first.commit()
        assert second.execute("SELECT skipped FROM app.janitor_runs ORDER BY run_id").fetchall() == [(False,), (True,)]
        second.execute("SELECT app.run_janitor()")
        assert second.execute("SELECT skipped FROM app.janitor_runs WHERE run_id > %s", (skipped,)).fetchall() == [(False,)]


def test_a_backend_that_may_not_be_ended_keeps_only_its_own_task(engine_database: Any) -> None:
    """The janitor runs as geomill_owner, which may not terminate a superuser: who holds a task by hand is waited for."""
    with engine_database.connect("superuser") as admin, engine_database.connect("superuser", autocommit=False) as holder:
        admin.execute("SELECT app.submit_job('hello_world', '{\"n\": 2}')")
        held = admin.execute("SELECT task_id, attempt FROM app.claim_tasks('holds', NULL, 1)").fetchone()
        silent = admin.execute("SELECT task_id, attempt FROM app.claim_tasks('silent', NULL, 1)").fetchone()
        assert held is not None
        assert silent is not None
        holder.execute("SELECT app.hold_task(%s, %s)", held)
        admin.execute("UPDATE app.workers SET last_beat = last_beat - interval '1 hour'")
        back = "SELECT task_id FROM app.tasks WHERE status = 'pending' ORDER BY task_id"
        assert _janitor(admin) == (None, {"workers_declared_dead": 2, "tasks": 1, "backends_terminated": 0})
        assert admin.execute(back).fetchall() == [(silent[0],)]
        holder.rollback()
        assert _janitor(admin) == (None, {"workers_declared_dead": 0, "tasks": 1, "backends_terminated": 0})
        assert admin.execute(back).fetchall() == sorted([(held[0],), (silent[0],)])


def _janitor(admin: psycopg.Connection[Any]) -> Any:
    run = one(admin, "SELECT app.run_janitor()")
    return admin.execute("SELECT error, (parts -> 'reclaim') - 'seconds' FROM app.janitor_runs WHERE run_id = %s", (run,)).fetchone()


def _failed_job(admin: psycopg.Connection[Any]) -> str:
    admin.execute("SELECT tests.given_workflow('fails', '[{\"max_attempts\": 1}]')")
    job = str(one(admin, "SELECT app.submit_job('fails', '{}')"))
    claimed = admin.execute("SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1)").fetchone()
    assert claimed is not None
    admin.execute("SELECT app.fail_task(%s, %s, tests.error())", claimed)
    admin.execute("SELECT app.release_tasks('w1', true)")
    admin.execute("SELECT tests.move_clock('1 year')")
    return job


def test_a_job_that_is_being_taken_up_again_is_not_pruned(engine_database: Any) -> None:
    with engine_database.connect("superuser") as admin, engine_database.connect("superuser", autocommit=False) as operator:
        job = _failed_job(admin)
        operator.execute("SELECT app.retry_job(%s)", (job,))
        admin.execute("SET statement_timeout = '60s'")
        admin.execute("SELECT app.run_janitor()")
        assert one(admin, "SELECT parts #>> '{prune_jobs,pruned}' FROM app.janitor_runs") == "0"
        operator.commit()
        admin.execute("SELECT app.run_janitor()")
        assert admin.execute("SELECT job_id, status::text FROM app.jobs").fetchall() == [(job, "processing")]


def test_a_job_that_is_being_pruned_is_not_taken_up_again(engine_database: Any) -> None:
    with engine_database.connect("superuser") as admin, engine_database.connect("superuser", autocommit=False) as janitor:
        job = _failed_job(admin)
        janitor.execute("SELECT app.run_janitor()")
        refused: list[str | None] = []

        def retry() -> None:
            try:
                admin.execute("SELECT app.retry_job(%s)", (job,))
            except psycopg.Error as error:
                refused.append(error.sqlstate)

        operator = threading.Thread(target=retry)
        operator.start()
        janitor.commit()
        operator.join(timeout=120)
        # Whether it came before the commit and waited, or after it: no such job, or nothing of it to take up.
        assert refused in (["GM404"], ["GM409"])
        assert one(admin, "SELECT count(*) FROM app.tasks WHERE status IN ('pending', 'processing')") == 0
        assert one(admin, "SELECT count(*) FROM app.archived_jobs") == 1


def test_open_transactions_and_holds_are_named(engine_database: Any) -> None:
    with (
        engine_database.connect("superuser") as admin,
        engine_database.connect("superuser", autocommit=False, application_name="an old one") as old,
        engine_database.connect("worker", autocommit=False, application_name="effects") as effects,
    ):
        admin.execute("SELECT app.submit_job('hello_world', '{\"n\": 1}')")
        claimed = admin.execute("SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1)").fetchone()
        assert claimed is not None
        old.execute("SELECT txid_current()")
        effects.execute("SELECT app.hold_task(%s, %s)", claimed)
        here = admin.execute(
            "SELECT application, kind, task_id, state, pid FROM app.transactions() WHERE database_name = current_database()"
        ).fetchall()
        assert here == [
            ("an old one", "transaction", None, "idle in transaction", old.info.backend_pid),
            ("effects", "hold", claimed[0], "idle in transaction", effects.info.backend_pid),
        ]
