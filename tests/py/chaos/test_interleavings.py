"""Two calls at the same moment, in every order of their statements that matters.

The first call stops before one of its statements; the second runs until it has ended, or waits for a lock of the first; then
the first goes on. That is done for each statement of the first, and for each pair. Afterwards no invariant is broken, nobody
was the victim of a deadlock, and what is left is done to its end.

The control takes the fan-in's lock away: then these very orders must strand jobs, each time.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.py.support.server import Database

from . import scenes
from .invariants import check, violations
from .length import LONG, rng, seconds
from .points import at_point, closed_gate, count_points
from .scenes import RETRYABLE, Connection, Operation, Play, Scene, complete, fail, hold, one, release, running, say, silent, then, turn


def another_job(connection: Connection, _: Play) -> None:
    """The same client has a job of one task that nobody has claimed."""
    connection.execute(scenes.SUBMIT, ("fragile", 1, 0))


def under_a_cap(connection: Connection) -> Play:
    """Three of the client's tasks run, as many as may; one of another job waits for a slot."""
    connection.execute("SELECT app.set_cap('client', 'hub', 3)")
    return then(running("tolerant"), another_job)(connection)


SCENES: dict[str, Scene] = {
    "fragile": running("fragile"),
    "tolerant": running("tolerant"),
    "fragile, the last has ended": then(running("fragile"), complete("c")),
    "tolerant, the last has ended": then(running("tolerant"), complete("c")),
    "fragile, c is silent": then(running("fragile"), silent("c")),
    "tolerant, one waits for its retry": then(running("tolerant"), fail("c", RETRYABLE)),
    "tolerant, one task is fresh": running("tolerant", tasks=4),
    "fragile, one task is left, and another job": then(running("fragile"), complete("a"), complete("c"), another_job),
    "tolerant, under a cap, and another job": under_a_cap,
    "fragile, its client is paused": then(running("fragile", tasks=4), say("SELECT app.pause_client('hub', 'chaos')")),
}


def operations(name: str, other: str) -> list[Operation]:
    """What may happen to a task, and to its job, at the same moment as to another."""
    return [
        Operation("complete", (complete(name),)),
        Operation("turn", (turn(name, claim=1),)),
        Operation("complete under a hold", (hold(name), complete(name))),
        Operation("fail", (fail(name),)),
        Operation("fail, retryable", (fail(name, RETRYABLE),)),
        Operation("turn with an error", (turn(name, errors={name: scenes.FATAL}),)),
        Operation("release", (release(name),)),
        Operation("complete the other one's", (complete(other),)),
        Operation("cancel", (say("SELECT app.cancel_job(%(job)s, 'chaos')"),)),
        Operation("retry_job", (say("SELECT app.retry_job(%(job)s)"),)),
        Operation("claim", (say("SELECT * FROM app.claim_tasks('another', NULL, 5)"),)),
        Operation("pause the client", (say("SELECT app.pause_client('hub', 'chaos')"),)),
        Operation("resume the client", (say("SELECT app.resume_client('hub')"),)),
        Operation("janitor", (say("SELECT app.run_janitor()"),)),
    ]


FIRST, SECOND = operations("b", "c"), operations("c", "b")
# Refused politely: the job has ended, the attempt is stale, the hold is another's. A backend under a hold may be ended by the janitor.
REFUSED = ("GM404", "GM409", "57P01")
Bout = tuple[str, Operation, int, Operation]
BOUTS = 90


@dataclass
class Duel:
    """Two connections whose calls are interleaved, and a third that directs them."""

    database: Database
    director: Connection
    threads: ThreadPoolExecutor
    fighters: dict[str, Connection] = field(default_factory=dict)

    def fighter(self, name: str) -> Connection:
        connection = self.fighters.get(name)
        if connection is None or connection.closed:
            connection = self.fighters[name] = self.database.connect(options="-c deadlock_timeout=50ms")
        return connection

    def fight(self, first: Operation, number: int, second: Operation, play: Play) -> dict[str, str]:
        """The first stops at its point of that number; the second runs into it; both end. What they were refused with."""
        one_, other = self.fighter("first"), self.fighter("second")
        at_point(one_, number, "wait")
        at_point(other, 0, "wait")
        with closed_gate(self.director):
            running_one = self.threads.submit(_outcome, first, one_, play)
            self._until(running_one, _WAITS, one_.info.backend_pid)
            running_other = self.threads.submit(_outcome, second, other, play)
            self._until(running_other, _BLOCKED, other.info.backend_pid)
        return {"first": running_one.result(120), "second": running_other.result(120)}

    def _until(self, call: Future[str], waiting: Any, pid: int) -> None:
        """Until the call has ended, or its backend waits for a lock."""
        deadline = time.monotonic() + 120
        while not call.done() and not one(self.director, waiting, pid):
            assert time.monotonic() < deadline, "a call neither ended nor waited"
            time.sleep(0.0003)


_WAITS = """
SELECT EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = %s AND l.locktype = 'advisory' AND l.classid = 7117 AND NOT l.granted)
"""
_BLOCKED = "SELECT EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = %s AND NOT l.granted)"


def _outcome(operation: Operation, connection: Connection, play: Play) -> str:
    try:
        operation.run(connection, play)
    except psycopg.Error as error:
        return error.sqlstate or ("57P01" if connection.closed else repr(error))
    return ""


@pytest.fixture
def duel(instrumented: Database) -> Iterator[Duel]:
    with instrumented.connect() as director, ThreadPoolExecutor(2) as threads:
        yield (made := Duel(instrumented, director, threads))
        for connection in made.fighters.values():
            connection.close()


def _points(duel: Duel, scene: Scene, operation: Operation) -> int:
    """How many statements the operation passes in this scene."""
    scenes.forget(duel.director)
    play = scene(duel.director)
    fighter = duel.fighter("first")
    with fighter.transaction(force_rollback=True):
        at_point(fighter, 0, "wait")
        _outcome(operation, fighter, play)
        if fighter.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
            return 1
        return count_points(fighter)
    raise AssertionError


def _bout(duel: Duel, scene: Scene, first: Operation, number: int, second: Operation) -> dict[str, str]:
    scenes.forget(duel.director)
    return duel.fight(first, number, second, scene(duel.director))


def _bouts(duel: Duel) -> Iterator[Bout]:
    """Bouts in an order of chance: of a long run as many as there is time for, of a bounded one some of the pairs."""
    chance = rng("interleavings")
    points: dict[tuple[str, str], int] = {}
    pairs = list(itertools.product(FIRST, SECOND))
    until = time.monotonic() + seconds(0.4)
    while True:
        for first, second in chance.sample(pairs, len(pairs) if LONG else BOUTS):
            scene = chance.choice(list(SCENES))
            if (scene, first.name) not in points:
                points[scene, first.name] = _points(duel, SCENES[scene], first)
            yield scene, first, chance.randint(1, points[scene, first.name]), second
            if LONG and time.monotonic() > until:
                return
        if not LONG:
            return


def test_no_order_of_two_calls_breaks_anything(duel: Duel) -> None:
    for number, (scene, first, point, second) in enumerate(_bouts(duel)):
        what = f"{scene}: {first.name}, stopped before statement {point}, and {second.name}"
        outcome = _bout(duel, SCENES[scene], first, point, second)
        assert all(state in ("", *REFUSED) for state in outcome.values()), f"{what}: {outcome}"
        check(duel.director, after=f"{what}: {outcome}")
        if LONG or number % 3 == 0:
            scenes.recover(duel.director)
            check(duel.director, "at the end", after=f"recovering from {what}: {outcome}")


LAST_TWO = then(running("fragile"), complete("a"))


@pytest.mark.parametrize("second", ["complete", "turn", "complete under a hold"])
def test_the_last_two_of_a_stage_at_the_same_moment(duel: Duel, second: str) -> None:
    """The race that strands stages elsewhere, at each statement of the one and of the other."""
    for [one_, *_], others in ((FIRST, SECOND), (SECOND, FIRST)):
        [other] = [operation for operation in others if operation.name == second]
        for number in range(1, _points(duel, LAST_TWO, one_) + 1):
            what = f"{one_.name}, stopped before statement {number}, and {other.name}"
            assert _bout(duel, LAST_TWO, one_, number, other) == {"first": "", "second": ""}, what
            check(duel.director, after=what)
            assert one(duel.director, "SELECT count(*) FROM app.stages WHERE stage = 3") == 1, f"{what}: the next stage is there"


def test_without_the_fan_in_lock_the_same_orders_strand_jobs(duel: Duel) -> None:
    """The control: if this finds nothing, the tests above prove nothing."""
    [definition] = duel.director.execute("SELECT pg_get_functiondef('app.lock_jobs'::regproc)").fetchall()
    duel.director.execute(
        "CREATE OR REPLACE FUNCTION app.lock_jobs(task_ids bigint[], alone bigint[] DEFAULT '{}') RETURNS void"
        " LANGUAGE plpgsql SET search_path = '' AS $$ BEGIN END; $$"
    )
    try:
        stranded = set()
        for number in range(1, _points(duel, LAST_TWO, FIRST[0]) + 1):
            _bout(duel, LAST_TWO, FIRST[0], number, SECOND[0])
            stranded |= {line.split(":")[0] for line in violations(duel.director)}
        assert "an open stage has an open task" in stranded
    finally:
        duel.director.execute(definition[0].encode())
