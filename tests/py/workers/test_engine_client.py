"""The worker's side of the contract with the engine, call by call, on a real one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog

from tests.py.support.server import Database
from tests.py.support.waiting import wait_for
from workers import waiting
from workers.attempts import Attempts
from workers.connections import EffectsConnection
from workers.context import Task
from workers.engine import Claimed, Engine, WorkerDeadError
from workers.errors import TaskCancelled, TaskError, describe
from workers.heartbeat import Heartbeat
from workers.identity import Identity
from workers.reports import Report
from workers.storage import Storage
from workers.waiting import Idle, Wake


@pytest.fixture
def superuser(module_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """A superuser beside the worker under test, whose connections go to the module's database, emptied."""
    monkeypatch.setenv("GEOMILL_DSN_WORKER", module_database.dsn("worker"))
    with module_database.connect() as connection:
        connection.execute(
            "TRUNCATE app.jobs, app.stages, app.ready_stages, app.tasks, app.task_inputs, app.task_results, app.task_errors,"
            " app.workers, app.janitor_runs"
        )
        connection.execute("DROP TABLE IF EXISTS public.effects")
        connection.execute("CREATE TABLE public.effects (task_id bigint)")
        connection.execute("GRANT INSERT ON public.effects TO geomill_worker")
        yield connection


@pytest.fixture
def engine(superuser: psycopg.Connection[Any]) -> Iterator[Engine]:  # noqa: ARG001 - it says where the engine is
    engine = Engine("test")
    yield engine
    engine.close()


def value(connection: psycopg.Connection[Any], statement: str, *values: object) -> Any:
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0]


def submit(connection: psycopg.Connection[Any], n: int = 1) -> str:
    return str(value(connection, "SELECT app.submit_job('hello_world', jsonb_build_object('n', %s::int))", n))


def claim(engine: Engine, worker_id: str, number: int = 1) -> list[Claimed]:
    return engine.turn(worker_id, [], ["hello_greeting"], number)


@pytest.fixture
def as_task(tmp_path: Path) -> Iterator[Callable[[Claimed], Task[dict[str, Any]]]]:
    effects = EffectsConnection()

    def make(claimed: Claimed) -> Task[dict[str, Any]]:
        return Task(
            claimed=claimed.task, parameters=claimed.task.parameters, item=None, previous=None, log=structlog.get_logger(),
            storage=Storage.at(tmp_path), give_up_at=claimed.give_up_at, attempts=Attempts(), effects_connection=effects,
        )  # fmt: skip

    yield make
    effects.close()


AsTask = Callable[[Claimed], Task[dict[str, Any]]]


def test_a_turn_claims_reports_and_says_how_long(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    job_id = submit(superuser, 3)
    claimed = claim(engine, "w", 2)
    assert {one.task.job_id for one in claimed} == {job_id}
    assert all(0 < one.give_up_at - time.monotonic() <= 60 for one in claimed)
    assert all(one.malformed is None and one.task.correlation_id for one in claimed)
    reports = [Report.completed(one.task, {"greeting": "é", "index": one.task.task_index}).text for one in claimed]
    assert len(engine.turn("w", reports, ["hello_greeting"], 5)) == 1
    # Sent again after a lost answer: nothing changes.
    assert engine.turn("w", reports, [], 0) == []
    assert value(superuser, "SELECT count(*) FROM app.task_results") == 2


def test_reports_of_tasks_that_are_no_more_do_not_make_a_worker_dead(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    submit(superuser)
    task = claim(engine, "w")[0].task.model_copy(update={"task_id": 4711 << 24})
    reports = [
        Report.completed(task, {}).text,
        Report.failed(task.model_copy(update={"task_id": 4712 << 24}), describe(ValueError("x"))).text,
    ]
    assert engine.turn("w", reports, [], 0) == []
    assert engine.is_alive("w")


def test_what_has_no_handler_here_is_not_claimed(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    submit(superuser)
    assert engine.turn("w", [], ["hello_reply"], 5) == []
    assert engine.turn("w", [], [], 5) == []


def test_released_tasks_can_be_claimed_at_once(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    submit(superuser, 3)
    claim(engine, "w", 3)
    assert engine.release("w") == 3
    assert len(claim(engine, "w2", 3)) == 3
    assert engine.release("w", stopping=True) == 0
    with pytest.raises(WorkerDeadError):
        claim(engine, "w")


def test_idle_is_when_nothing_is_open(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    assert engine.is_idle(["hello_greeting"])
    submit(superuser)
    assert not engine.is_idle(["hello_greeting"])
    assert engine.is_idle(["vector_load"])
    claim(engine, "w")
    assert not engine.is_idle(["hello_greeting"])


def test_the_janitor_is_run_where_nobody_runs_it(engine: Engine) -> None:
    assert engine.run_janitor_if_due()
    assert not engine.run_janitor_if_due()


def test_a_broken_connection_is_opened_again_at_the_next_call(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    assert claim(engine, "w") == []
    superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'geomill test%'")
    with pytest.raises(psycopg.OperationalError):
        claim(engine, "w")
    assert claim(engine, "w") == []


def test_a_stale_attempt_commits_nothing(engine: Engine, superuser: psycopg.Connection[Any], as_task: AsTask) -> None:
    submit(superuser)
    claimed = claim(engine, "w")[0]
    task = as_task(claimed)

    def lost_meanwhile() -> None:
        with task.effects() as effects:
            effects.connection.execute("INSERT INTO public.effects VALUES (%s)", (claimed.task.task_id,))
            engine.release("w")
            effects.complete({"greeting": "late", "index": 0})

    with pytest.raises(TaskCancelled) as caught:
        lost_meanwhile()
    assert caught.value.reason == "lost"
    assert task.completed is None
    assert value(superuser, "SELECT count(*) FROM public.effects") == 0
    assert value(superuser, "SELECT count(*) FROM app.task_results") == 0


def test_effects_and_completion_commit_together_and_the_connection_is_kept(
    engine: Engine, superuser: psycopg.Connection[Any], as_task: AsTask
) -> None:
    submit(superuser, 2)
    backends = []
    for number, claimed in enumerate(claim(engine, "w", 2)):
        task = as_task(claimed)
        with task.effects() as effects:
            backends.append(effects.connection.info.backend_pid)
            effects.connection.execute("INSERT INTO public.effects VALUES (%s)", (claimed.task.task_id,))
            assert value(superuser, "SELECT count(*) FROM public.effects") == number
            effects.complete({"greeting": "x", "index": claimed.task.task_index})
        assert task.completed == claimed.task.task_id
        assert value(superuser, "SELECT count(*) FROM public.effects") == number + 1
    assert backends[0] == backends[1]


def test_a_failed_effect_leaves_the_connection_usable(engine: Engine, superuser: psycopg.Connection[Any], as_task: AsTask) -> None:
    submit(superuser)
    task = as_task(claim(engine, "w")[0])

    def fail() -> None:
        with task.effects() as effects:
            effects.connection.execute("INSERT INTO public.effects VALUES (1)")
            effects.connection.execute("SELECT no_such_column")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        fail()
    with task.effects() as effects:
        effects.complete({"greeting": "x", "index": 0})
    assert value(superuser, "SELECT count(*) FROM public.effects") == 0


def test_a_hold_waits_for_the_one_before_and_then_gives_up(
    engine: Engine, superuser: psycopg.Connection[Any], as_task: AsTask, module_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(superuser)
    claimed = claim(engine, "w")[0]
    with module_database.connect("worker", autocommit=False) as other:
        other.execute("SELECT app.hold_task(%s, 0)", (claimed.task.task_id,))
        monkeypatch.setattr("workers.context.HOLD_PATIENCE", 0.3)
        with pytest.raises(TaskError) as caught, as_task(claimed).effects():
            pass
        assert (caught.value.detail.code, caught.value.detail.retryable) == ("TASK_HELD", True)
        monkeypatch.setattr("workers.context.HOLD_PATIENCE", 120.0)
        threading.Timer(0.3, other.rollback).start()
        with as_task(claimed).effects() as effects:
            effects.complete({"greeting": "x", "index": 0})


def test_one_effects_transaction_at_a_time(engine: Engine, superuser: psycopg.Connection[Any], as_task: AsTask) -> None:
    submit(superuser)
    task = as_task(claim(engine, "w")[0])
    with task.effects(), pytest.raises(RuntimeError, match="one effects transaction"), task.effects():
        pass


def beating(identity: Identity, attempts: Attempts) -> Heartbeat:
    return Heartbeat(identity, attempts, lambda: None, interval=0.05)


def test_the_heartbeat_tells_of_cancelled_and_lost_attempts(engine: Engine, superuser: psycopg.Connection[Any], as_task: AsTask) -> None:
    identity, attempts = Identity(), Attempts()
    jobs = [submit(superuser, 1), str(value(superuser, "SELECT app.submit_job('hello_world', '{\"n\": 2}')"))]
    claimed = {one.task.job_id: one for one in claim(engine, identity.worker_id, 2)}
    held = {job_id: (claimed[job_id].task.task_id, claimed[job_id].task.attempt) for job_id in jobs}
    attempts.hold(held.values())
    heartbeat = beating(identity, attempts)
    heartbeat.start()
    try:
        superuser.execute("SELECT app.cancel_job(%s, 'test')", (jobs[0],))
        superuser.execute("UPDATE app.tasks SET attempt = attempt + 1 WHERE task_id = %s", (held[jobs[1]][0],))
        wait_for(lambda: attempts.ended(*held[jobs[0]]) and attempts.ended(*held[jobs[1]]))
    finally:
        heartbeat.stop()
    assert [attempts.ended(*held[job_id]) for job_id in jobs] == ["cancelled", "lost"]
    task = as_task(claimed[jobs[0]])
    task.attempts = attempts
    with pytest.raises(TaskCancelled):
        task.check()


def test_the_heart_beats_on_after_a_lost_connection(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    identity = Identity()
    claim(engine, identity.worker_id)
    heartbeat = beating(identity, Attempts())

    def beats_after(before: datetime) -> bool:
        return bool(last_beat() > before)

    def last_beat() -> datetime:
        return value(superuser, "SELECT last_beat FROM app.workers")  # type: ignore[no-any-return]

    heartbeat.start()
    try:
        for _ in range(3):
            superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'geomill heartbeat%'")
            before = last_beat()
            wait_for(partial(beats_after, before))
    finally:
        heartbeat.stop()


def test_a_worker_declared_dead_learns_it_and_beats_no_more(engine: Engine, superuser: psycopg.Connection[Any]) -> None:
    identity, attempts = Identity(), Attempts()
    submit(superuser)
    one = claim(engine, identity.worker_id)[0].task
    attempts.hold([(one.task_id, one.attempt)])
    superuser.execute("UPDATE app.workers SET last_beat = last_beat - interval '2 minutes'")
    superuser.execute("SELECT app.run_janitor()")
    heartbeat = beating(identity, attempts)
    # As after a long silence: only then does it ask.
    heartbeat._last_beat = -1e6
    assert heartbeat._beat() == 0.05
    assert identity.dead
    assert attempts.ended(one.task_id, one.attempt) == "lost"


LISTENERS = (
    "SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name ~ '^geomill listen'"
)


def seconds_until_woken(superuser: psycopg.Connection[Any], idle: Idle) -> float:
    timer = threading.Timer(0.1, superuser.execute, ("NOTIFY geomill_tasks",))
    before = time.monotonic()
    timer.start()
    idle.wait()
    timer.join()
    return time.monotonic() - before


NEVER = 600.0


def test_a_notification_ends_the_wait_and_a_lost_listener_listens_again(
    superuser: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "POLL_FIRST", NEVER)
    wake = Wake()
    idle = Idle(wake, most=NEVER)

    def listens_anew() -> bool:
        idle.wait()
        return value(superuser, LISTENERS) not in ([], first)

    try:
        idle.listen()
        first = value(superuser, LISTENERS)
        assert seconds_until_woken(superuser, idle) < NEVER / 2
        superuser.execute("SELECT pg_terminate_backend(%s)", (first[0],))
        wait_for(listens_anew)
        assert seconds_until_woken(superuser, idle) < NEVER / 2
    finally:
        idle.close()
        wake.close()


def test_behind_a_pooler_it_listens_by_a_direct_connection_or_polls(
    superuser: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOMILL_POOLER", "1")
    wake = Wake()
    polling, direct = Idle(wake, most=0.1), Idle(wake)
    try:
        polling.listen()
        polling.wait()
        assert value(superuser, LISTENERS) == []
        monkeypatch.setenv("GEOMILL_LISTEN_DSN", os.environ["GEOMILL_DSN_WORKER"])
        direct.listen()
        assert len(value(superuser, LISTENERS)) == 1
    finally:
        direct.close()
        wake.close()
