"""The engine's SQL beside a small model of it (model.py): any sequence of calls leaves both in the same state.

Hypothesis makes the sequences: submits (the same work twice, too), claims and turns, completions and failures (stale ones,
too), silence, clocks that go forwards and backwards, cancel, retry, redrive, pause, release, janitor. After each step every
job, stage and task is compared, and at the end of each sequence the invariants are checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

from .invariants import check
from .length import LONG, seconds
from .model import OPEN, UNKNOWN, WORKFLOWS, Job, Model, RefusedError, Task, Worker
from .scenes import forget

START = 1_800_000_000
WORKERS = ("ann", "bob", "cy")
TYPES = st.sampled_from([["dig", "fill"], ["dig"], ["fill"]])
PICK = st.integers(0, 30)

_STATE = """
SELECT j.job_id, j.status::text, j.stage, s.stage, s.status::text, s.tasks, s.remaining, t.task_index, t.status::text, t.attempt,
       CASE WHEN t.status IN ('pending', 'processing') THEN t.forgiven END, extract(epoch FROM t.run_at)::float8, t.task_id
  FROM app.jobs AS j LEFT JOIN app.stages AS s USING (job_id)
  LEFT JOIN app.tasks AS t ON t.task_id BETWEEN s.stage_id << 24 AND s.last_task_id
"""
_HELD = """
SELECT w.worker_id, w.status::text, h.task_id FROM app.workers AS w
  LEFT JOIN LATERAL (SELECT t.task_id FROM unnest(w.holding, w.holding_attempts) AS h (task_id, attempt)
                       JOIN app.tasks AS t ON t.task_id = h.task_id AND t.attempt = h.attempt AND t.status = 'processing') AS h ON true
"""


class Engine(RuleBasedStateMachine):
    """The real engine on `connection`, and the model beside it."""

    connection: ClassVar[psycopg.Connection[Any]]

    def __init__(self) -> None:
        super().__init__()
        forget(self.connection)
        self.model = Model(START)
        self._move_clock()
        self.generation = 0

    # The engine

    def call(self, query: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, values).fetchall()

    def _move_clock(self) -> None:
        self.connection.execute("UPDATE tests.model_clock SET moment = to_timestamp(%s)", (self.model.now,))

    def _agree_on_refusal(self, model: Callable[[], Any], query: LiteralString, *values: Any) -> tuple[Any, Any]:
        """What both answer; both refuse, or neither."""
        try:
            expected = model()
        except RefusedError:
            with pytest.raises(psycopg.Error) as refusal:
                self.call(query, *values)
            assert refusal.value.sqlstate == "GM409"
            return None, None
        return expected, self.call(query, *values)[0][0]

    # Picking

    def _job(self, pick: int) -> Job:
        return list(self.model.jobs.values())[pick % len(self.model.jobs)]

    def _claimed_once(self) -> list[Task]:
        return [task for task in self.model.tasks if task.task_id]

    def _worker(self, name: str) -> tuple[Worker, bool]:
        """The worker of that name; True if it is new, since the one before it was declared dead."""
        worker = self.model.workers.get(name)
        return (worker, False) if worker else (Worker(name), True)

    # Rules

    @initialize()
    def begin(self) -> None:
        self.submit("lenient", 2, 0, 0)

    @rule(workflow=st.sampled_from(sorted(WORKFLOWS)), n=st.integers(0, 4), same=st.integers(0, 1), priority=st.sampled_from([0, 0, 1]))
    def submit(self, workflow: str, n: int, same: int, priority: int) -> None:
        [[job_id]] = self.call("SELECT app.submit_job(%s, %s, %s)", workflow, Jsonb({"n": n, "same": same}), priority)
        self.model.submit(job_id, workflow, n, priority)

    @rule(name=st.sampled_from(WORKERS), types=TYPES, most=st.integers(0, 4))
    def claim(self, name: str, types: list[str], most: int) -> None:
        self._turn(name, [], types, most)

    @precondition(lambda self: self._claimed_once())
    @rule(
        name=st.sampled_from(WORKERS),
        picks=st.lists(st.tuples(PICK, st.sampled_from([0, 0, 0, 1]), st.sampled_from([None, None, None, True, False])), max_size=4),
        repeated=st.sampled_from([0, 0, 1]),
        own=st.booleans(),
        types=TYPES,
        most=st.integers(0, 3),
    )
    def turn(self, name: str, picks: list[tuple[int, int, bool | None]], repeated: int, own: bool, types: list[str], most: int) -> None:
        """Reports of what it holds; or of anything, perhaps of an older attempt, perhaps twice."""
        worker = self.model.workers.get(name)
        among = worker.running() if own and worker else self._claimed_once()
        if among:
            finished: dict[tuple[Task, int], bool | None] = {}
            for pick, older, error in picks:
                task = among[pick % len(among)]
                finished.setdefault((task, task.attempt - older), error)
            said = [(task, attempt, error) for (task, attempt), error in finished.items()]
            self._turn(name, said + said[:repeated], types, most)

    def _turn(self, name: str, finished: list[tuple[Task, int, bool | None]], types: list[str], most: int) -> None:
        worker, _ = self._worker(name)
        reports = [
            {"task_id": task.task_id, "attempt": attempt} | ({"result_data": {}} if error is None else {"error": _error(error)})
            for task, attempt, error in finished
        ]
        query: LiteralString = "SELECT task_id, attempt, job_id, stage, task_index FROM app.turn(%s, %s, %s, %s)"
        values = (name, Jsonb(reports), types, most)
        if worker.status != "alive":
            with pytest.raises(psycopg.Error) as refusal:
                self.call(query, *values)
            assert refusal.value.sqlstate == "GM409"
            return
        rows = self.call(query, *values)
        self.model.workers[name] = worker
        ended = self.model.report(finished)
        self.model.settle(ended)
        taken = self._agree_on_claim(types, most, rows)
        self.model.take(taken)
        assert {(row[0], row[1]) for row in rows} == {(task.task_id, task.attempt) for task in taken}
        self.model.hold(worker, taken)

    def _agree_on_claim(self, types: list[str], most: int, rows: list[tuple[Any, ...]]) -> list[Task]:
        """The tasks that the engine claimed, where the model could have claimed them."""
        due, retries, fresh = self.model.claim(types, most)
        there = {(task.stage.job.job_id, task.stage.number, task.index): task for task in self.model.tasks}
        claimed = []
        for task_id, _, *key in rows:
            task = there[tuple(key)]
            task.task_id = task_id
            claimed.append(task)
        assert sum(task in due for task in claimed) == retries, "due retries come first, and as many as fit"
        assert {task for task in claimed if task not in due} == set(fresh), "fresh tasks come in the order of their rank"
        return claimed

    @precondition(lambda self: self._claimed_once())
    @rule(pick=PICK, older=st.sampled_from([0, 0, 0, 1]))
    def complete(self, pick: int, older: int) -> None:
        task = self._pick_likely(pick)
        attempt = task.attempt - older
        [[updated, is_last]] = self.call(
            "SELECT task_updated, is_last_task_in_stage FROM app.complete_task_and_check_stage(%s, %s, '{}')", task.task_id, attempt
        )
        assert (updated, is_last) == self.model.complete(task, attempt)

    @precondition(lambda self: self._claimed_once())
    @rule(pick=PICK, older=st.sampled_from([0, 0, 0, 1]), retryable=st.booleans())
    def fail(self, pick: int, older: int, retryable: bool) -> None:
        task = self._pick_likely(pick)
        attempt = task.attempt - older
        [answer] = self.call(
            "SELECT task_updated, will_retry, job_status::text FROM app.fail_task(%s, %s, %s)",
            task.task_id,
            attempt,
            Jsonb(_error(retryable)),
        )
        assert answer == self.model.fail(task, attempt, retryable)

    def _pick_likely(self, pick: int) -> Task:
        """Mostly a task that runs; any that was ever claimed, where none does."""
        tasks = self._claimed_once()
        running = [task for task in tasks if task.status == "processing"]
        among = running if running and pick % 5 else tasks
        return among[pick % len(among)]

    @rule(name=st.sampled_from(WORKERS))
    def heartbeat(self, name: str) -> None:
        if name in self.model.workers:
            lost = {tuple(row) for row in self.call("SELECT task_id, attempt, reason FROM app.heartbeat(%s)", name)}
            assert lost == self.model.heartbeat(self.model.workers[name])

    @rule(name=st.sampled_from(WORKERS))
    def release(self, name: str) -> None:
        if name in self.model.workers:
            [[released]] = self.call("SELECT app.release_tasks(%s)", name)
            assert released == self.model.release(self.model.workers[name])

    @rule(by=st.sampled_from([1, 9, 31, 61, 90, 400, -1, -20, -70]))
    def clock_moves(self, by: int) -> None:
        self.model.now += by
        self._move_clock()

    @rule(beating=st.booleans())
    def janitor(self, beating: bool) -> None:
        if beating:
            for name in list(self.model.workers):
                self.heartbeat(name)
        self.model.janitor()
        [[run]] = self.call("SELECT app.run_janitor()")
        assert self.call("SELECT skipped, error FROM app.janitor_runs WHERE run_id = %s", run) == [(False, None)]

    @rule(name=st.sampled_from(WORKERS))
    def reborn(self, name: str) -> None:
        """A process whose worker is dead starts anew, under a name that nobody has had."""
        worker = self.model.workers.get(name)
        if worker and worker.status == "dead" and not worker.running():
            self.generation += 1
            self.connection.execute("UPDATE app.workers SET worker_id = %s WHERE worker_id = %s", (f"{name}-{self.generation}", name))
            self.model.workers[f"{name}-{self.generation}"] = self.model.workers.pop(name)
            worker.name = f"{name}-{self.generation}"

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        job = self._job(pick)
        [[status]] = self.call("SELECT app.cancel_job(%s, 'the model')::text", job.job_id)
        assert status == self.model.cancel(job)

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK)
    def retry_job(self, pick: int) -> None:
        ended = [job for job in self.model.jobs.values() if job.status in ("failed", "cancelled")]
        job = ended[pick % len(ended)] if ended else self._job(pick)
        expected, answer = self._agree_on_refusal(lambda: self.model.retry_job(job), "SELECT app.retry_job(%s)", job.job_id)
        assert answer == expected

    @precondition(lambda self: self._claimed_once())
    @rule(pick=PICK)
    def redrive(self, pick: int) -> None:
        tasks = self._claimed_once()
        dead = [task for task in tasks if task.status == "failed"] or tasks
        task = dead[pick % len(dead)]
        self._agree_on_refusal(lambda: self.model.redrive(task), "SELECT app.redrive_task(%s)", task.task_id)

    @rule(task_type=st.sampled_from(["dig", "fill"]), pause=st.booleans())
    def pause(self, task_type: str, pause: bool) -> None:
        if pause:
            self.call("SELECT app.pause_task_type(%s, 'the model')", task_type)
            self.model.paused.add(task_type)
        else:
            self.call("SELECT app.resume_task_type(%s)", task_type)
            self.model.paused.discard(task_type)

    # After each step

    @invariant()
    def both_agree(self) -> None:
        rows = self.call(_STATE)
        self._learn_delays(rows)
        found = {row[:-1] for row in rows}
        assert {_without_counter(row) for row in found} == set(self._expected())
        for row in found:
            # Armed or not is the engine's own affair; a counter that is there must be right.
            remaining = row[6]
            open_tasks = sum(1 for other in found if other[0] == row[0] and other[3] == row[3] and other[8] in OPEN)
            assert remaining is None or remaining == open_tasks
        held: dict[str, tuple[str, set[int]]] = {}
        for worker, status, task_id in self.call(_HELD):
            held.setdefault(worker, (status, set()))[1].update(() if task_id is None else (task_id,))
        assert held == {name: (worker.status, {task.task_id for task in worker.running()}) for name, worker in self.model.workers.items()}

    def _learn_delays(self, rows: list[tuple[Any, ...]]) -> None:
        run_at = {row[12]: row[11] for row in rows}
        for task in self.model.delayed:
            if task.status == "pending" and task.run_at == UNKNOWN:
                earliest, latest = self.model.allowed_delay(task)
                learned = run_at[task.task_id]
                assert learned is not None
                assert earliest - 0.01 <= learned <= latest + 0.01, "a retry waits for its backoff"
                task.run_at = learned
        self.model.delayed.clear()

    def _expected(self) -> Iterator[tuple[Any, ...]]:
        for job in self.model.jobs.values():
            for stage in job.stages:
                stage_row = (job.job_id, job.status, job.last.number, stage.number, stage.status, len(stage.tasks))
                for task in stage.tasks:
                    waits = task.run_at if task.status == "pending" else None
                    forgiven = task.forgiven if task.is_open else None
                    yield (*stage_row, task.index, task.status, task.attempt, forgiven, waits)
                if not stage.tasks:
                    yield (*stage_row, None, None, None, None, None)

    def teardown(self) -> None:
        check(self.connection)


def _without_counter(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of the state as the model knows it: a time to wait for means nothing but to a pending task."""
    *head, _, index, status, attempt, forgiven, run_at = row
    return (*head, index, status, attempt, forgiven, run_at if status == "pending" else None)


def _error(retryable: bool) -> dict[str, Any]:
    return {"code": "TEST_FAILURE", "category": "system", "message": "as the model wants it", "retryable": retryable}


@pytest.fixture
def connection(chaos_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """The engine under a clock that stands still."""
    with chaos_database.connect() as made:
        made.execute("CREATE TABLE tests.model_clock (moment timestamptz NOT NULL)")
        made.execute("INSERT INTO tests.model_clock VALUES (now())")
        made.execute("GRANT SELECT ON tests.model_clock TO PUBLIC")
        made.execute(
            "CREATE OR REPLACE FUNCTION app.clock() RETURNS timestamptz LANGUAGE sql VOLATILE SET search_path = ''"
            " AS $$ SELECT moment FROM tests.model_clock $$"
        )
        for name, stages in WORKFLOWS.items():
            made.execute("SELECT tests.given_workflow(%s, %s)", (name, Jsonb([stage.as_json() for stage in stages])))
        yield made


def test_the_engine_does_what_its_model_does(connection: psycopg.Connection[Any]) -> None:
    Engine.connection = connection
    common = settings(
        deadline=None, database=None, stateful_step_count=40, suppress_health_check=list(HealthCheck), print_blob=True,
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    if not LONG:
        run_state_machine_as_test(Engine, settings=settings(common, max_examples=50, derandomize=True))
        return
    until = time.monotonic() + seconds(0.25)
    while time.monotonic() < until:
        run_state_machine_as_test(Engine, settings=settings(common, max_examples=200))
