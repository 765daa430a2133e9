"""The loop against an engine that misbehaves: results are sent until acknowledged, and nothing claimed is forgotten."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from codegen.messages.tasks import ClaimedTask
from workers import loop as loop_module
from workers.engine import Claimed, WorkerDeadError
from workers.loop import Loop, Options
from workers.registry import Handler
from workers.storage import Storage
from workers.storage_probe import StorageProbe
from workers.waiting import Wake


def claimed(task_id: int, task_type: str = "work") -> Claimed:
    task = ClaimedTask(
        task_id=task_id, attempt=1, job_id="j", job_type="t", stage=1, task_type=task_type, task_index=task_id, parameters={},
        deadline=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    return Claimed(task, time.monotonic() + 3600)


class GoneError(psycopg.OperationalError):
    pass


class RefusedError(psycopg.DatabaseError):
    sqlstate = "22P05"


def nothing(_: Sequence[dict[str, Any]]) -> None:
    """Neither refuse nor break."""


class FakeEngine:
    """Hands out tasks in order; `before` and `after` may raise, before or after a turn has taken effect."""

    def __init__(self, tasks: int = 0) -> None:
        self.waiting = list(range(tasks))
        self.held: set[int] = set()
        self.ended: dict[int, dict[str, Any]] = {}
        self.worker_ids: list[str] = []
        self.turns: list[tuple[int, int]] = []
        self.stopped = False
        self.janitor_looks = 0
        self.storage_looks: list[tuple[str, bool]] = []
        self.before: Callable[[Sequence[dict[str, Any]]], None] = nothing
        self.after: Callable[[Sequence[dict[str, Any]]], None] = nothing

    def register(self, worker_id: str, *_: object) -> None:
        self.worker_ids.append(worker_id)

    def turn(self, worker_id: str, finished: Sequence[str], task_types: Sequence[str], max_tasks: int) -> list[Claimed]:
        assert worker_id == self.worker_ids[-1]
        reports = json.loads(f"[{','.join(finished)}]")
        self.before(reports)
        self.turns.append((len(reports), max_tasks))
        for report in reports:
            if report["task_id"] in self.held:
                self.held.remove(report["task_id"])
                assert report["task_id"] not in self.ended
                self.ended[report["task_id"]] = report
        taken = [self.waiting.pop(0) for _ in range(min(max_tasks, len(self.waiting)))] if task_types else []
        self.held.update(taken)
        self.after(reports)
        return [claimed(task_id) for task_id in taken]

    def release(self, worker_id: str, *, stopping: bool = False) -> int:
        assert worker_id == self.worker_ids[-1]
        released = sorted(self.held)
        self.waiting = released + self.waiting
        self.held.clear()
        self.stopped = stopping
        return len(released)

    def is_idle(self, _: Sequence[str]) -> bool:
        return not self.waiting and not self.held

    def heartbeat(self, _: str) -> list[tuple[int, int, Literal["lost", "cancelled"]]]:
        return []

    def report_storage(self, worker_id: str, probe: StorageProbe) -> None:
        self.storage_looks.append((worker_id, probe.is_well))
        raise GoneError("gone")

    def run_janitor_if_due(self) -> bool:
        self.janitor_looks += 1
        if self.janitor_looks == 1:
            raise GoneError("gone")
        return True

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def no_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.waiting.open_listener", lambda _: None)
    monkeypatch.setattr("workers.backoff.random.uniform", lambda *_: 0.01)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Loop]]:
    wakes = []

    def start(engine: FakeEngine, handler: Callable[[Any], Any], *, max_batch: int = 50) -> Loop:
        monkeypatch.setattr(loop_module, "Engine", lambda _: engine)
        monkeypatch.setattr("workers.heartbeat.Engine", lambda _: engine)
        wake = Wake()
        wakes.append(wake)
        return Loop(Options(("work",), max_batch, until_idle=True), {"work": Handler("work", None, handler)}, Storage.at(tmp_path), wake)

    yield start
    for wake in wakes:
        wake.close()


Run = Callable[..., Loop]


def fine(task: Any) -> dict[str, Any]:
    return {"index": task.claimed.task_index}


def failing_once(error: psycopg.Error, at: int) -> Callable[[Sequence[dict[str, Any]]], None]:
    calls = 0

    def check(_: Sequence[dict[str, Any]]) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error

    return check


def test_batches_grow_and_everything_ends_once(run: Run) -> None:
    engine = FakeEngine(500)
    assert run(engine, fine).run() == 0
    assert sorted(engine.ended) == list(range(500))
    assert engine.ended[7] == {"task_id": 7, "attempt": 1, "result_data": {"index": 7}}
    assert max(asked for _, asked in engine.turns) == 50
    assert engine.stopped


@pytest.mark.parametrize("at", [1, 2, 3, 5])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_connection_loses_no_result_and_no_claim(run: Run, at: int, when: str) -> None:
    engine = FakeEngine(40)
    setattr(engine, when, failing_once(GoneError("server closed the connection unexpectedly"), at))
    assert run(engine, fine).run() == 0
    assert sorted(engine.ended) == list(range(40))
    assert not engine.held


def test_a_deadlock_is_tried_again(run: Run) -> None:
    engine = FakeEngine(10)
    engine.before = failing_once(psycopg.errors.DeadlockDetected("deadlock detected"), 3)
    assert run(engine, fine).run() == 0
    assert sorted(engine.ended) == list(range(10))


def test_one_poisonous_report_fails_its_own_task_only(run: Run) -> None:
    engine = FakeEngine(60)

    def refuse(finished: Sequence[dict[str, Any]]) -> None:
        if any(report.get("result_data") == {"index": 33} for report in finished):
            raise RefusedError("unsupported Unicode escape sequence")

    engine.before = refuse
    assert run(engine, fine).run() == 0
    assert sorted(engine.ended) == list(range(60))
    assert [task_id for task_id, report in engine.ended.items() if "error" in report] == [33]
    assert engine.ended[33]["error"]["code"] == "RESULT_REFUSED"


def test_a_connection_lost_while_looking_for_the_poisonous_report(run: Run) -> None:
    engine = FakeEngine(60)
    lost = failing_once(GoneError("gone"), 1)

    def refuse(finished: Sequence[dict[str, Any]]) -> None:
        if any(report.get("result_data") == {"index": 33} for report in finished):
            if len(finished) == 1:
                lost(finished)
            raise RefusedError("unsupported Unicode escape sequence")

    engine.before = refuse
    assert run(engine, fine).run() == 0
    assert [task_id for task_id, report in engine.ended.items() if "error" in report] == [33]
    assert sorted(engine.ended) == list(range(60))


def test_an_error_that_is_refused_too_is_said_without_its_words(run: Run) -> None:
    engine = FakeEngine(5)

    def refuse(finished: Sequence[dict[str, Any]]) -> None:
        if any("unspeakable" in json.dumps(report) for report in finished):
            raise RefusedError("no")

    def handler(task: Any) -> dict[str, Any]:
        if task.claimed.task_index == 2:
            raise ValueError("unspeakable")
        return {}

    engine.before = refuse
    assert run(engine, handler).run() == 0
    assert engine.ended[2]["error"]["code"] == "REPORT_REFUSED"
    assert sorted(engine.ended) == list(range(5))


def test_a_report_that_is_refused_in_every_form_stops_nobody(run: Run) -> None:
    engine = FakeEngine(5)
    loops: list[Loop] = []

    def refuse(finished: Sequence[dict[str, Any]]) -> None:
        if any(report["task_id"] == 2 for report in finished):
            raise RefusedError("no")

    def handler(task: Any) -> dict[str, Any]:
        if task.claimed.task_index == 4:
            loops[0].drain()
        return {}

    engine.before = refuse
    loops.append(run(engine, handler))
    assert loops[0].run() == 0
    assert sorted(engine.ended) == [0, 1, 3, 4]


def test_a_worker_declared_dead_goes_on_under_a_new_name(run: Run) -> None:
    engine = FakeEngine(20)
    calls = 0

    def die(_: Sequence[dict[str, Any]]) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            engine.waiting = sorted(engine.held) + engine.waiting
            engine.held.clear()
            raise WorkerDeadError("declared dead")

    engine.before = die
    assert run(engine, fine).run() == 0
    assert len(set(engine.worker_ids)) == 2
    assert sorted(engine.ended) == list(range(20))


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), RecursionError()])
def test_nothing_that_a_handler_raises_ends_the_loop(run: Run, error: BaseException) -> None:
    engine = FakeEngine(4)

    def handler(task: Any) -> dict[str, Any]:
        if task.claimed.task_index == 1:
            raise error
        return {}

    assert run(engine, handler).run() == 0
    assert [task_id for task_id, report in engine.ended.items() if "error" in report] == [1]


@pytest.mark.parametrize("result", [None, "text", [1], 3, {"a": float("nan")}, {"a": "\x00"}, {"a": object()}])
def test_a_result_that_cannot_be_kept_fails_its_task(run: Run, result: Any) -> None:
    engine = FakeEngine(2)
    assert run(engine, lambda task: result if task.claimed.task_index == 0 else {}).run() == 0
    assert engine.ended[0]["error"]["code"] == "RESULT_REFUSED"
    assert engine.ended[1]["result_data"] == {}


def test_a_drain_gives_back_what_has_not_begun(run: Run) -> None:
    engine = FakeEngine(100)
    loops: list[Loop] = []

    def handler(task: Any) -> dict[str, Any]:
        if task.claimed.task_index == 20:
            loops[0].drain()
        return {}

    loops.append(run(engine, handler))
    assert loops[0].run() == 0
    assert sorted(engine.ended) == list(range(21))
    assert engine.waiting == list(range(21, 100))
    assert engine.stopped
    assert not engine.held


def test_a_batch_behind_a_slow_task_is_given_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine(60)
    late = 0.0
    monkeypatch.setattr("workers.loop.time.monotonic", lambda real=time.perf_counter: real() + late)

    def handler(task: Any) -> dict[str, Any]:
        nonlocal late
        if task.claimed.task_index == 10:
            late += 30.0
        return {}

    assert run(engine, handler).run() == 0
    assert sorted(engine.ended) == list(range(60))
    # Reported without claiming, and then released.
    assert any(reported and asked == 0 for reported, asked in engine.turns)


def test_a_drain_without_a_database_gives_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "DRAIN_PATIENCE", 0.2)
    engine = FakeEngine(5)

    def gone(_: Sequence[dict[str, Any]]) -> None:
        if engine.turns:
            raise GoneError("gone")

    engine.before = gone
    loop = run(engine, fine)
    threading.Timer(0.3, loop.drain).start()
    assert loop.run() == 1


def test_a_large_result_is_reported_before_the_batch_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "LARGEST_TURN", 1000)
    engine = FakeEngine(64)
    assert run(engine, lambda _: {"text": "x" * 400}).run() == 0
    assert sorted(engine.ended) == list(range(64))
    assert max(reported for reported, _ in engine.turns) <= 3


def test_the_storage_is_looked_at_once_a_minute_and_that_nobody_hears_it_stops_nobody(run: Run) -> None:
    engine = FakeEngine(20)
    assert run(engine, fine, max_batch=1).run() == 0
    assert [is_well for _, is_well in engine.storage_looks] == [True]
    assert sorted(engine.ended) == list(range(20))


def test_the_janitor_is_looked_after_between_turns_and_its_failure_stops_nobody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "JANITOR_CHECK_EVERY", 0.0)
    monkeypatch.setattr("workers.loop.random.uniform", lambda *_: 0.0)
    engine = FakeEngine(20)
    assert run(engine, fine, max_batch=1).run() == 0
    assert engine.janitor_looks >= 20
    assert sorted(engine.ended) == list(range(20))
