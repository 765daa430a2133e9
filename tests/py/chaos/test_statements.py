"""A backend that is ended before any statement of the engine's functions leaves nothing behind, and the work goes on.

Each operation is first run to its end and rolled back, to count its statements; then it is killed before each of them in
turn. After each death everything is as it was; at last the operation is run to its end and what is left is recovered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import CLIENT
from tests.py.support.server import Database

from . import scenes
from .invariants import check
from .length import LONG, rng
from .points import at_point, count_points
from .scenes import (
    FATAL,
    RETRYABLE,
    Connection,
    Operation,
    Play,
    Scene,
    Step,
    complete,
    fail,
    hold,
    one,
    release,
    running,
    say,
    silent,
    then,
    turn,
)

SAMPLE = 8


@dataclass(frozen=True)
class Case:
    """An operation in a scene. `but`: invariants that the scene itself breaks.

    `sampled`: a bounded run kills it before some of its statements only; others go through the same functions.
    """

    operation: Operation
    scene: Scene
    sampled: bool = False
    but: tuple[str, ...] = ()


def all_ended_by_hand(connection: Connection, play: Play) -> None:
    """What the engine never makes: a stage whose tasks have all ended, and that has not."""
    ended = "UPDATE app.tasks SET status = 'completed', completed_at = app.clock() WHERE task_id = ANY (%s)"
    connection.execute(ended, ([claim.task for claim in play.claims.values()],))
    connection.execute("UPDATE app.stages SET created_at = created_at - interval '1 hour' WHERE job_id = %s", (play.job,))


def requested(connection: Connection) -> Play:
    """A client's request whose last job is at its last task."""
    worker = scenes.fresh_name("a")
    submitted = (
        "SELECT tests.ask(%s, format('SELECT * FROM platform.submit_request(%%L, %%L, %%L, %%L, callback_url => %%L)',"
        " 'd', 'r', %s::text, '/data/chaos/roads.gpkg', 'https://example.com/hook')) ->> 'request_id'"
    )
    request = one(connection, submitted, CLIENT, worker)
    for _ in range(50):
        claimed = connection.execute("SELECT task_id, attempt, job_id, task_type FROM app.claim_tasks(%s, NULL, 1)", (worker,)).fetchone()
        assert claimed is not None, "the request has come to its end"
        task, attempt, job, task_type = claimed
        if task_type == "vector_catalogue_v2":
            return Play(job, request, {"a": scenes.Claim(worker, task, attempt)})
        connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, %s)", (task, attempt, scenes.RESULT))
    raise AssertionError("the request never came to its last task")


def nothing(_: Connection) -> Play:
    return Play()


def cancel_request(connection: Connection, play: Play) -> None:
    cancelled = "SELECT tests.ask(%s, format('SELECT platform.cancel_request(%%L, %%L)', %s::text, 'chaos'))"
    connection.execute(cancelled, (CLIENT, play.request))


fragile, tolerant, one_worker = running("fragile"), running("tolerant"), running("fragile", by=1)
stranded = then(fragile, all_ended_by_hand)
STRANDED = (
    "an open stage has an open task",
    "an armed stage counts its open tasks, an unarmed one waits for its last",
    "a stage ends in the transaction in which its last task ends",
)
CANCEL, JANITOR = say("SELECT app.cancel_job(%(job)s, 'chaos')"), say("SELECT app.run_janitor()")
RETRY_COUNT = "SELECT * FROM app.increment_task_retry_count(%s, %s, %s)"
ALL_ERRORS = {"b": RETRYABLE, "c": FATAL}


def increment_retry_count(connection: Connection, play: Play) -> None:
    connection.execute(RETRY_COUNT, (play["a"].task, play["a"].attempt, Jsonb(RETRYABLE)))


def redrive(connection: Connection, play: Play) -> None:
    connection.execute("SELECT app.redrive_task(%s)", (play["b"].task,))


def repeatable(name: str, *steps: Step) -> Operation:
    return Operation(name, steps, repeatable=True)


def operation(name: str, *steps: Step) -> Operation:
    return Operation(name, steps)


CASES = (
    Case(repeatable("turn: all that the stage has", turn("abc", claim=3)), one_worker),
    Case(repeatable("turn: a result, a retry, and an error that ends the job", turn("abc", errors=ALL_ERRORS)), one_worker, sampled=True),
    Case(repeatable("turn: the last of an armed stage", turn("a")), then(fragile, complete("c"), complete("b")), sampled=True),
    Case(
        operation("turn: a due retry", turn("a", claim=2)),
        then(fragile, fail("b", RETRYABLE), say("SELECT tests.move_clock('1 hour')")),
        sampled=True,
    ),
    Case(repeatable("complete: the stage's last task, which counts the others", complete("c")), fragile, sampled=True),
    Case(repeatable("complete: the last open task", complete("c")), then(fragile, complete("a"), complete("b")), sampled=True),
    Case(repeatable("complete: the last of an armed stage", complete("a")), then(fragile, complete("c"), complete("b"))),
    Case(operation("complete under a hold", hold("a"), complete("a")), then(fragile, complete("c"), complete("b")), sampled=True),
    Case(repeatable("fail: again later", fail("a", RETRYABLE)), fragile, sampled=True),
    Case(repeatable("fail: the job with it", fail("a")), fragile),
    Case(repeatable("fail: tolerated, the last of its stage", fail("c")), then(tolerant, complete("a"), complete("b")), sampled=True),
    Case(repeatable("fail: one too many", fail("c")), then(tolerant, complete("a"), fail("b")), sampled=True),
    Case(repeatable("increment_task_retry_count", increment_retry_count), fragile, sampled=True),
    Case(repeatable("advance_job_stage", say("SELECT * FROM app.advance_job_stage(%(job)s, 1)")), stranded, but=STRANDED),
    Case(repeatable("cancel_job", CANCEL), then(fragile, complete("a")), sampled=True),
    Case(operation("retry_job", say("SELECT app.retry_job(%(job)s)")), then(fragile, complete("a"), CANCEL), sampled=True),
    Case(operation("redrive_task", redrive), then(fragile, complete("a"), fail("b")), sampled=True),
    Case(repeatable("release_tasks", release("a")), one_worker, sampled=True),
    Case(operation("run_janitor: everybody is dead", JANITOR), then(fragile, silent("abc")), sampled=True),
    Case(operation("run_janitor: a stage to repair", JANITOR), stranded, sampled=True, but=STRANDED),
    Case(repeatable("submit_job", say('SELECT app.submit_job(\'fragile\', \'{"n": 3, "i": "new"}\')')), nothing, sampled=True),
    Case(repeatable("complete: the last task of a request", complete("a")), requested, sampled=True),
    Case(repeatable("fail: the last task of a request", fail("a")), requested, sampled=True),
    Case(operation("cancel_request", cancel_request), requested, sampled=True),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.operation.name)
def test_nothing_is_left_of_a_call_that_was_killed(instrumented: Database, case: Case) -> None:
    operation = case.operation
    with instrumented.connect() as connection:
        scenes.forget(connection)
        connection.execute("TRUNCATE platform.requests CASCADE")
        play = case.scene(connection)
        # The scene is committed, and now the janitor is due whenever it is asked.
        before = one(connection, "SELECT tests.engine_state()")
        points = _points_of(connection, operation, play)
        assert points >= 4, f"{operation.name} passes {points} statements; is something missing?"
        assert one(connection, "SELECT tests.engine_state()") == before

        for number in _deaths(case, points):
            with instrumented.connect() as victim:
                at_point(victim, number, "die")
                with pytest.raises(psycopg.errors.AdminShutdown):
                    operation.run(victim, play)
            if LONG or number % 8 == 0:
                check(connection, but=case.but, after=f"death at statement {number} of {operation.name}")
            assert one(connection, "SELECT tests.engine_state()") == before, (
                f"death at statement {number} of {operation.name} left something"
            )

        at_point(connection, 0, "die")
        operation.run(connection, play)
        check(connection, but=case.but, after=operation.name)
        if operation.repeatable:
            _again_changes_nothing(connection, operation, play)
        scenes.recover(connection)
        check(connection, "at the end", but=case.but, after=f"recovering from {operation.name}")


def _deaths(case: Case, points: int) -> list[int]:
    """Before which of its statements the operation is killed: all, or a sample that begins with the first and ends with the last."""
    if LONG or not case.sampled or points <= SAMPLE:
        return list(range(1, points + 1))
    return sorted({1, points, *rng(case.operation.name).sample(range(2, points), SAMPLE - 2)})


def _points_of(connection: Connection, operation: Operation, play: Play) -> int:
    with connection.transaction(force_rollback=True):
        at_point(connection, 0, "die")
        operation.run(connection, play)
        return count_points(connection)
    raise AssertionError


def _again_changes_nothing(connection: Connection, operation: Operation, play: Play) -> None:
    """The answer was lost and the call is made again: what it did is not done twice. It may claim; that is not looked at."""

    def facts() -> list[Any]:
        return [one(connection, _TASKS, play.job), one(connection, _ERRORS, play.job), one(connection, _STAGES, play.job)]

    before = facts()
    operation.run(connection, play)
    assert facts() == before, f"{operation.name} did something twice"
    check(connection, after=f"{operation.name}, twice", but=STRANDED[-1:])


_TASKS = """
SELECT jsonb_object_agg(t.task_id, to_jsonb(t)) FROM app.tasks AS t JOIN app.stages AS s USING (stage_id)
 WHERE s.job_id = %s AND s.stage = 1
"""
_ERRORS = """
SELECT jsonb_agg(to_jsonb(e) ORDER BY e.task_id, e.attempt) FROM app.task_errors AS e JOIN app.stages AS s ON s.stage_id = e.task_id >> 24
 WHERE s.job_id = %s
"""
_STAGES = "SELECT jsonb_agg(jsonb_build_array(s.stage, s.tasks) ORDER BY s.stage_id) FROM app.stages AS s WHERE s.job_id = %s"
