"""What went wrong in other engines, told as tests: each story is one that a peer's users have lived through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

from .invariants import check
from .scenes import (
    FATAL,
    RETRYABLE,
    Connection,
    Operation,
    Play,
    complete,
    fail,
    forget,
    hold,
    one,
    recover,
    running,
    say,
    silent,
    then,
    turn,
)


@pytest.fixture
def other(chaos_database: Database) -> Iterator[Connection]:
    """Somebody else's connection."""
    with chaos_database.connect() as connection:
        yield connection


def submit(connection: Connection, n: int, workflow: str = "fragile") -> str:
    return str(one(connection, "SELECT app.submit_job(%s, jsonb_build_object('n', %s::integer, 'i', gen_random_uuid()))", workflow, n))


def claim(connection: Connection, worker: str, most: int = 1) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT task_id, attempt FROM app.claim_tasks(%s, NULL, %s)", (worker, most)).fetchall()


def finish(connection: Connection, worker: str, tasks: list[tuple[Any, ...]]) -> None:
    finished = [{"task_id": task, "attempt": attempt} for task, attempt in tasks]
    connection.execute("SELECT FROM app.turn(%s, %s, NULL, 0)", (worker, Jsonb(finished)))


def test_stranded_fan_in(admin: Connection, chaos_database: Database) -> None:
    """The last two tasks of a stage end at the same moment; each transaction sees the other one's task open; nobody goes on."""
    for _ in range(10):
        forget(admin)
        play = running("fragile")(admin)
        complete("a")(admin, play)
        barrier = threading.Barrier(2)

        def end(name: str, play: Any = play, barrier: threading.Barrier = barrier) -> None:
            with chaos_database.connect() as connection, connection.transaction():
                # Both have seen each other's task as open before either of them ends its own.
                assert (
                    one(connection, "SELECT count(*) FROM app.tasks WHERE stage_id = %s AND status = 'processing'", play["b"].task >> 24)
                    == 2
                )
                barrier.wait(120)
                complete(name)(connection, play)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(end, ["b", "c"]))
        check(admin)
        assert one(admin, "SELECT stage FROM app.jobs WHERE job_id = %s", play.job) == 3
    assert one(admin, "SELECT count(*) FROM app.janitor_runs") == 0, "without the janitor"


def test_retry_claimed_before_its_delay(admin: Connection, other: Connection) -> None:
    """The retry is counted in one statement and delayed in the next; a claim comes in between."""
    play = running("fragile")(admin)
    with admin.transaction():
        fail("a", RETRYABLE)(admin, play)
        assert claim(other, "eager", 10) == [], "not before the commit"
    assert claim(other, "eager", 10) == [], "and not after it"
    waits = one(admin, "SELECT run_at - app.clock() FROM app.tasks WHERE task_id = %s", play["a"].task)
    admin.execute("SELECT tests.move_clock(%s - interval '50 milliseconds')", (waits / 2,))
    assert claim(other, "eager", 10) == [], "nor before its time"
    admin.execute("SELECT tests.move_clock(%s)", (waits,))
    assert claim(other, "eager", 10) == [(play["a"].task, 2)]


def test_lease_lost_while_working(admin: Connection, other: Connection) -> None:
    """A worker is thought dead and its task given to another; then it completes after all, and both results count."""
    play = running("fragile")(admin)
    lost = play["a"]
    with other.transaction(force_rollback=True):
        assert one(other, "SELECT task_updated FROM app.complete_task_and_check_stage(%s, %s, '{}')", lost.task, lost.attempt)
    silent("a")(admin, play)
    admin.execute("SELECT app.run_janitor()")
    admin.execute("SELECT tests.move_clock('10 seconds')")
    assert claim(other, "second") == [(lost.task, 2)]

    before = one(admin, "SELECT tests.engine_state()")
    assert not one(admin, 'SELECT task_updated FROM app.complete_task_and_check_stage(%s, 1, \'{"by": "the late"}\')', lost.task)
    assert not one(admin, "SELECT task_updated FROM app.fail_task(%s, 1, %s)", lost.task, Jsonb(FATAL))
    assert admin.execute("SELECT * FROM app.increment_task_retry_count(%s, 1, %s)", (lost.task, Jsonb(RETRYABLE))).fetchall() == []
    assert one(admin, "SELECT tests.engine_state()") == before, "the late one changes nothing"
    with pytest.raises(psycopg.Error) as refusal:
        Operation("late effects", (hold("a"), complete("a"))).run(admin, play)
    assert refusal.value.sqlstate == "GM409"
    assert one(admin, "SELECT tests.engine_state()") == before, "nor do its effects"
    recover(admin)
    check(admin, "at the end")


def test_a_late_report_of_the_workers_own_earlier_attempt(admin: Connection) -> None:
    """A worker gives a task back, claims it again, and still reports the first attempt: the second must not be forgotten.

    Who looks at the task's id alone takes the report for the end of what the worker holds; were it to die then, nobody would
    look for its task.
    """
    submit(admin, 1)
    [(task, attempt)] = claim(admin, "w")
    admin.execute("SELECT app.release_tasks('w')")
    assert claim(admin, "w") == [(task, attempt + 1)]
    finish(admin, "w", [(task, attempt)])
    check(admin)
    recover(admin)
    check(admin, "at the end")


def test_two_reports_of_one_task_in_one_turn(admin: Connection) -> None:
    """After a lost answer a batch names a task twice, and the whole batch is refused forever."""
    submit(admin, 2)
    [(first, _), (second, _)] = claim(admin, "w", 2)
    done = {"result_data": {"by": "w"}, "attempt": 1}
    finished = [{"task_id": first, **done}, {"task_id": second, **done}, {"task_id": first, **done}]
    admin.execute("SELECT FROM app.turn('w', %s, NULL, 0)", (Jsonb(finished),))
    check(admin)
    assert one(admin, "SELECT count(*) FROM app.task_results") == 2
    assert one(admin, "SELECT count(*) FROM app.stages") == 3, "and the stage has ended"


def test_revived_finished_job(admin: Connection) -> None:
    """A failed or cancelled job gets a late completion, and is processing again."""
    for end, status in ((say("SELECT app.cancel_job(%(job)s)"), "cancelled"), (fail("c"), "failed")):
        play = then(running("fragile"), end)(admin)
        assert one(admin, "SELECT status FROM app.jobs WHERE job_id = %s", play.job) == status
        before = one(admin, "SELECT tests.engine_state()")
        complete("a")(admin, play)
        fail("b", RETRYABLE)(admin, play)
        admin.execute("SELECT * FROM app.advance_job_stage(%s, 1)", (play.job,))
        admin.execute("SELECT app.cancel_job(%s)", (play.job,))
        assert one(admin, "SELECT tests.engine_state()") == before
    admin.execute("SELECT app.run_janitor()")
    assert one(admin, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')") == 0
    assert claim(admin, "w", 10) == []


@pytest.mark.parametrize("planner", ["enable_hashjoin", "enable_mergejoin", "enable_seqscan", "enable_indexscan", "enable_material"])
def test_limit_overshoot_in_skip_locked(admin: Connection, other: Connection, planner: str) -> None:
    """`UPDATE … WHERE id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED)` locks more than n rows where the planner runs the subquery
    for each row of the outer side."""
    submit(admin, 300)
    admin.execute("ANALYZE app.tasks")
    for name in ("enable_hashjoin", "enable_mergejoin", "enable_material", planner):
        other.execute("SELECT set_config(%s, 'off', false)", (name,))
    with other.transaction():
        assert len(claim(other, "w", 7)) == 7
        assert one(other, "SELECT count(*) FROM app.tasks WHERE status = 'processing'") == 7
        # What was locked beside the seven could not be claimed by anybody else.
        assert len(claim(admin, "v", 300)) == 293
    check(admin)


def test_counter_drift(admin: Connection) -> None:
    """A counter on the stage is decreased by what does not end a task, or not by what does; then it never is zero, or too early."""
    for tasks in (2, 5):
        job = submit(admin, tasks, "tolerant")
        held = claim(admin, f"w{tasks}", tasks)
        stage, last = held[0][0] >> 24, held[-1]
        finish(admin, f"w{tasks}", [last, last])
        check(admin)
        for task, attempt in held[:-1]:
            admin.execute("SELECT app.fail_task(%s, %s, %s)", (task, attempt, Jsonb(RETRYABLE)))
            admin.execute("SELECT app.fail_task(%s, %s, %s)", (task, attempt, Jsonb(RETRYABLE)))
            finish(admin, f"w{tasks}", [(task, attempt - 1), (task, attempt), last])
        assert one(admin, "SELECT remaining FROM app.stages WHERE stage_id = %s", stage) == tasks - 1
        admin.execute("SELECT app.cancel_job(%s)", (job,))
        admin.execute("SELECT app.retry_job(%s)", (job,))
        assert one(admin, "SELECT remaining FROM app.stages WHERE stage_id = %s", stage) == tasks - 1
        check(admin)
        # Several of them end in one turn.
        rest = claim(admin, f"w{tasks}", tasks)
        finish(admin, f"w{tasks}", rest[:2])
        check(admin)
        recover(admin)
        check(admin, "at the end")
        assert one(admin, "SELECT status FROM app.jobs WHERE job_id = %s", job) == "completed"


def test_poisonous_task_loops(admin: Connection) -> None:
    """A task kills each worker that touches it, is handed to the next, and nobody ever counts."""
    job = submit(admin, 1)
    for attempt in range(1, 4):
        assert [number for _, number in claim(admin, f"victim-{attempt}")] == [attempt]
        admin.execute("SELECT tests.move_clock('61 seconds')")
        admin.execute("SELECT app.run_janitor()")
        admin.execute("SELECT tests.move_clock('5 minutes')")
    assert claim(admin, "victim-4") == []
    assert one(admin, "SELECT status FROM app.jobs WHERE job_id = %s", job) == "failed"
    assert one(admin, "SELECT count(*) FROM app.task_errors WHERE error ->> 'code' = 'WORKER_DIED'") == 3
    check(admin, "at the end")


def test_notify_storm(admin: Connection, other: Connection) -> None:
    """Each enqueued row and each completion sends a notification; their global lock at commit halves the throughput."""
    other.execute("LISTEN geomill_tasks")
    submit(admin, 200)
    with admin.transaction():
        for _ in range(20):
            submit(admin, 5)
    tasks = claim(admin, "w", 250)
    finish(admin, "w", [task for task in tasks if task != tasks[0]])
    admin.execute("SELECT * FROM app.heartbeat('w')")
    # What was sent before this call has come with its answer.
    other.execute("SELECT")
    heard = [note.channel for note in other.notifies(timeout=0)]
    # One for each of the two commits with submits, and one for the stages that the turn opened.
    assert heard == ["geomill_tasks"] * 3
    assert one(admin, "SELECT count(*) FROM app.tasks WHERE status = 'completed'") > 200


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_claim_under_an_old_snapshot(admin: Connection, other: Connection, level: str) -> None:
    """A caller's transaction has an old snapshot: it claims what another one has claimed since, or counts what has ended since."""
    play = running("fragile")(admin)
    other.isolation_level = psycopg.IsolationLevel[level.replace(" ", "_")]

    def look(connection: Connection, _: Play) -> None:
        one(connection, "SELECT count(*) FROM app.tasks")
        complete("b")(admin, play)

    for call in (say("SELECT app.claim_tasks('w', NULL, 5)"), complete("c"), fail("c"), turn("c")):
        with pytest.raises(psycopg.Error) as refusal:
            Operation("look, and call", (look, call)).run(other, play)
        assert refusal.value.sqlstate == "25001"
    check(admin)


def test_claims_wade_through_the_dead_prefix(admin: Connection, other: Connection) -> None:
    """While an old transaction is open nothing dead is removed from the index, and each claim reads all that was ever claimed."""
    with other.transaction():
        one(other, "SELECT count(*) FROM app.jobs")
        other.execute("SELECT pg_current_xact_id()")
        submit(admin, 20_000)
        admin.execute("ALTER TABLE app.tasks DISABLE TRIGGER log_status")
        costs = []
        for _ in range(40):
            tasks = claim(admin, "w", 500)
            assert len(tasks) == 500
            costs.append(_claim_reads(admin))
            finish(admin, "w", tasks)
        # Medians, for the low-water mark moves by leaps, and one claim in some looks after it.
        assert median(costs[-12:]) <= 1.5 * median(costs[:8]), f"buffers that a claim of one reads, as the dead grow: {costs}"


def _claim_reads(connection: Connection) -> int:
    """Buffers that one more claim reads, rolled back."""
    with connection.transaction(force_rollback=True):
        [[plan]] = connection.execute(
            "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT * FROM app.claim_tasks('probe', NULL, 1)"
        ).fetchall()
        buffers = plan[0]["Plan"]
        return int(buffers["Shared Hit Blocks"] + buffers["Shared Read Blocks"])
    raise AssertionError


def test_a_double_submit(admin: Connection, chaos_database: Database) -> None:
    """A client's button is pressed twice, and the work is done twice."""
    barrier = threading.Barrier(8)

    def press(_: int) -> str:
        with chaos_database.connect() as connection:
            barrier.wait(120)
            return str(one(connection, "SELECT app.submit_job('fragile', '{\"n\": 3}')"))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(press, range(8)))) == 1
    assert one(admin, "SELECT count(*) FROM app.tasks") == 3
    recover(admin)
    assert one(admin, "SELECT app.submit_job('fragile', '{\"n\": 3}')") == one(admin, "SELECT job_id FROM app.jobs")
    check(admin, "at the end")


def test_worker_resurrected_after_being_declared_dead(admin: Connection) -> None:
    """A worker sleeps with its machine, is declared dead, wakes up, and goes on under its name with what it had."""
    play = running("fragile")(admin)
    sleeper = play["a"]
    silent("a")(admin, play)
    admin.execute("SELECT app.run_janitor()")
    lost = admin.execute("SELECT * FROM app.heartbeat(%s)", (sleeper.worker,)).fetchall()
    assert lost == [(sleeper.task, 1, "lost")], "it is told"
    assert one(admin, "SELECT status FROM app.workers WHERE worker_id = %s", sleeper.worker) == "dead", "and its beat does not revive it"
    for call in ("SELECT app.turn(%s, '[]', NULL, 1)", "SELECT app.register_worker(%s)"):
        with pytest.raises(psycopg.Error) as refusal:
            admin.execute(call.encode(), (sleeper.worker,))
        assert refusal.value.sqlstate == "GM409"
    assert one(admin, "SELECT app.release_tasks(%s)", sleeper.worker) == 0
    check(admin)
    recover(admin)
    check(admin, "at the end")


def test_janitor_and_the_slow_but_healthy(admin: Connection) -> None:
    """A task takes long, its worker's heart beats, and the janitor takes it away; or its worker is just slow to say so."""
    play = running("fragile")(admin)
    for _ in range(10):
        admin.execute("SELECT tests.move_clock('55 seconds')")
        for name in "abc":
            admin.execute("SELECT * FROM app.heartbeat(%s)", (play[name].worker,))
        admin.execute("SELECT tests.move_clock('3 seconds')")
        admin.execute("SELECT app.run_janitor()")
    assert one(admin, "SELECT count(*) FROM app.tasks WHERE status = 'processing' AND attempt = 1") == 3
    assert one(admin, "SELECT count(*) FROM app.workers WHERE status = 'alive'") == 3
    # Its type's maximum run time is what ends it, though its heart beats.
    admin.execute("SELECT tests.move_clock('30 seconds')")
    for name in "abc":
        admin.execute("SELECT * FROM app.heartbeat(%s)", (play[name].worker,))
    admin.execute("SELECT app.run_janitor()")
    assert one(admin, "SELECT count(*) FROM app.task_errors WHERE error ->> 'code' = 'TASK_TIMEOUT'") == 3
    assert one(admin, "SELECT count(*) FROM app.workers WHERE status = 'alive'") == 3
    check(admin)
