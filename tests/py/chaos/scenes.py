"""Scenes that the engine's calls are tried in, and the calls.

A scene leaves workers with a task each of one stage, named a, b and c in the order of their ids; c is the stage's last, the
one that arms it. Operations are what a worker, an operator or the janitor then does: one call, or several in one
transaction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]

RETRYABLE = {"code": "TEST_FAILURE", "category": "system", "message": "as the test wants it", "retryable": True}
FATAL = {"code": "TEST_FAILURE", "category": "data", "message": "as the test wants it", "retryable": False}
BY_CHAOS = {"by": "chaos"}


@dataclass(frozen=True)
class Claim:
    """A task that a worker has."""

    worker: str
    task: int
    attempt: int


@dataclass
class Play:
    """What a scene has set up: a job, or a client's request, and who holds what."""

    job: str = ""
    request: str = ""
    claims: dict[str, Claim] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Claim:
        return self.claims[name]


Scene = Callable[[Connection], Play]
Step = Callable[[Connection, Play], object]


@dataclass(frozen=True)
class Operation:
    """Calls of the engine in one transaction. `repeatable`: made once more, they change nothing."""

    name: str
    steps: tuple[Step, ...]
    repeatable: bool = False

    def run(self, connection: Connection, play: Play) -> None:
        if len(self.steps) == 1:
            self.steps[0](connection, play)
            return
        with connection.transaction():
            for step in self.steps:
                step(connection, play)


def one(connection: Connection, query: LiteralString, *values: Any) -> Any:
    """The one value that a query returns."""
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0]


_numbers = itertools.count(1)


def fresh_name(prefix: str) -> str:
    """A name that no worker has had."""
    return f"{prefix}-{next(_numbers)}"


# Scenes


SUBMIT = "SELECT app.submit_job_with_options(%s, jsonb_build_object('n', %s::integer, 'i', %s::integer), '{\"client_id\": \"hub\"}')"


def running(workflow: str, *, by: int = 3, tasks: int = 3) -> Scene:
    """A client's job whose first three tasks have each a worker of its own; or one worker has all three."""

    def play(connection: Connection) -> Play:
        n = next(_numbers)
        job = one(connection, SUBMIT, workflow, tasks, n)
        claims: dict[str, Claim] = {}
        for names in ("a", "b", "c") if by == 3 else ("abc",):
            worker = f"{names}-{n}"
            rows = connection.execute(
                "SELECT task_id, attempt FROM app.turn(%s, '[]', NULL, %s) ORDER BY 1", (worker, len(names))
            ).fetchall()
            claims |= {name: Claim(worker, *row) for name, row in zip(names, rows, strict=True)}
        return Play(job, claims=claims)

    return play


def then(scene: Scene, *steps: Step) -> Scene:
    """The scene, and these steps after it."""

    def play(connection: Connection) -> Play:
        made = scene(connection)
        for step in steps:
            step(connection, made)
        return made

    return play


# Steps


def say(query: LiteralString) -> Step:
    """A call that is about the job, the request, or nothing: its %(job)s and %(request)s are the scene's."""
    return lambda connection, play: connection.execute(query, {"job": play.job, "request": play.request})


def complete(name: str) -> Step:
    def step(connection: Connection, play: Play) -> object:
        claim = play[name]
        return connection.execute(
            "SELECT * FROM app.complete_task_and_check_stage(%s, %s, %s)", (claim.task, claim.attempt, Jsonb(BY_CHAOS))
        )

    return step


def fail(name: str, error: Mapping[str, Any] = FATAL) -> Step:
    def step(connection: Connection, play: Play) -> object:
        return connection.execute("SELECT * FROM app.fail_task(%s, %s, %s)", (play[name].task, play[name].attempt, Jsonb(error)))

    return step


def hold(name: str) -> Step:
    """Hold the task, and leave an effect."""

    def step(connection: Connection, play: Play) -> object:
        claim = (play[name].task, play[name].attempt)
        connection.execute("SELECT app.hold_task(%s, %s)", claim)
        return connection.execute("INSERT INTO tests.effects (task_id, attempt) VALUES (%s, %s)", claim)

    return step


def turn(names: str, *, errors: Mapping[str, Mapping[str, Any]] | None = None, claim: int = 1) -> Step:
    """One worker's turn: it reports the tasks of these names, with errors where given, and claims."""

    def step(connection: Connection, play: Play) -> object:
        finished = [
            {"task_id": play[name].task, "attempt": play[name].attempt}
            | ({"error": errors[name]} if errors and name in errors else {"result_data": BY_CHAOS})
            for name in names
        ]
        return connection.execute("SELECT * FROM app.turn(%s, %s, NULL, %s)", (play[names[0]].worker, Jsonb(finished), claim))

    return step


def release(name: str) -> Step:
    def step(connection: Connection, play: Play) -> object:
        return connection.execute("SELECT app.release_tasks(%s)", (play[name].worker,))

    return step


def silent(names: str) -> Step:
    """The workers of these names have not been heard of for an hour."""

    def step(connection: Connection, play: Play) -> object:
        workers = [play[name].worker for name in names]
        return connection.execute("UPDATE app.workers SET last_beat = last_beat - interval '1 hour' WHERE worker_id = ANY (%s)", (workers,))

    return step


# Afterwards

RECOVERY = 10_000


def recover(connection: Connection, *, worker: str = "") -> None:
    """What any cluster of workers does after a disaster, by one worker: the dead are found, what is open is done to its end."""
    name = worker or fresh_name("healer")
    connection.execute("SELECT app.resume_client(c.client_id) FROM app.paused_clients AS c")
    connection.execute("UPDATE app.workers SET last_beat = last_beat - interval '1 hour' WHERE status = 'alive'")
    run = one(connection, "SELECT app.run_janitor()")
    failed = connection.execute(
        "SELECT error FROM app.janitor_runs WHERE run_id = %s AND (error IS NOT NULL OR skipped)", (run,)
    ).fetchone()
    assert failed is None, f"the janitor failed or was skipped: {failed}"
    for _ in range(RECOVERY):
        claimed = connection.execute("SELECT task_id, attempt, task_type FROM app.claim_tasks(%s, NULL, 1)", (name,)).fetchone()
        if claimed is None:
            # Retries wait for their time: let it come.
            if one(connection, "SELECT count(*) FROM app.tasks WHERE status = 'pending' AND run_at > app.clock()") == 0:
                return
            connection.execute("SELECT tests.move_clock(interval '2 minutes')")
            # To this worker, no time has passed.
            connection.execute("SELECT * FROM app.heartbeat(%s)", (name,))
            continue
        task, attempt, task_type = claimed
        with connection.transaction():
            connection.execute("SELECT app.hold_task(%s, %s)", (task, attempt))
            if task_type == "held":
                connection.execute("INSERT INTO tests.effects (task_id, attempt) VALUES (%s, %s)", (task, attempt))
            connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, %s)", (task, attempt, RESULT))
    raise AssertionError(f"{RECOVERY} claims and still something is left to claim")


# What the jobs of a vector request may be told by their tasks.
RESULT = Jsonb({"chunks": [{"first": 0}], "vector": {"rows": 3}, "endpoints": {"table": "geo.t"}})


def forget(connection: Connection) -> None:
    """Empty the engine, for the next scene."""
    connection.execute("SELECT tests.forget()")
