"""The loop of one worker process: turn, run what was claimed, turn again.

Between two turns the loop holds only what it is running; so whatever it does not know of after a lost answer can be
given back whole. What it has finished is kept until a turn has acknowledged it, and sent again otherwise: the fence
around each attempt makes that harmless.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from workers import copies
from workers.attempts import Attempts
from workers.backoff import Backoff
from workers.batches import SLOW_BATCH, Batches
from workers.engine import Claimed, Engine, WorkerDeadError
from workers.errors import TaskError, in_short, is_disconnected, is_transient
from workers.heartbeat import Heartbeat
from workers.identity import Identity, software_version
from workers.logs import configure_logging, process_log
from workers.registry import Handler
from workers.reports import Report
from workers.runner import Runner
from workers.storage import Storage
from workers.storage_probe import look_at
from workers.waiting import POLL_ENDING, POLL_MOST, Idle, Wake

JANITOR_CHECK_EVERY = 30.0
STORAGE_LOOK_EVERY = 60.0
LARGEST_TURN = 8 * 1024 * 1024
"""A batch whose results are this large is reported before it goes on."""
DRAIN_PATIENCE = 20.0
"""How long a draining worker tries to report to a database that does not answer; with nothing to report, a tenth of it."""


@dataclass(frozen=True)
class Options:
    """What a worker process is asked to do."""

    task_types: tuple[str, ...]
    max_batch: int = 50
    until_idle: bool = False


class Loop:
    """One worker process. `drain` may be called by a signal handler."""

    def __init__(self, options: Options, handlers: Mapping[str, Handler], storage: Storage, wake: Wake) -> None:
        self._options = options
        self._wake = wake
        self._identity = Identity()
        self._attempts = Attempts()
        self._engine = Engine("turn")
        self._runner = Runner(handlers, storage, self._attempts)
        self._batches = Batches(options.task_types, options.max_batch, time.monotonic())
        self._finished: list[Report] = []
        self._unsure = False
        self._refused = False
        self._draining = False
        self._give_up_at: float | None = None
        self._janitor_at = time.monotonic() + random.uniform(0.0, JANITOR_CHECK_EVERY)  # noqa: S311 - so that not all look at once
        self._storage = storage
        self._storage_at = time.monotonic()
        self._parent = os.getppid()
        self._heartbeat = Heartbeat(self._identity, self._attempts, self._check_parent)
        self._idle = Idle(wake, most=POLL_ENDING if options.until_idle else POLL_MOST)

    def drain(self) -> None:
        """Finish the present task, give the others back, and end. Safe in a signal handler."""
        self._draining = True
        self._wake.set()

    def run(self) -> int:
        """Work until drained, or idle where that was asked for. Returns the exit code."""
        configure_logging(self._identity.worker_id)
        log = process_log()
        try:
            self._register()
            self._heartbeat.start()
            log.info("worker started", task_types=list(self._options.task_types), max_batch=self._options.max_batch)
            self._idle.listen()
            self._work()
            self._stop()
            log.info("worker stopped")
        except _GaveUpError as error:
            # Nothing is lost: what was not reported is taken back by the janitor, and done again.
            log.error("worker stopped without a word to the engine", unreported=len(self._finished), error=str(error))
            return 1 if self._finished else 0
        finally:
            self._heartbeat.stop()
            self._idle.close()
            self._runner.close()
            self._engine.close()
        return 0

    # Working

    def _work(self) -> None:
        while not self._draining:
            claim = self._batches.next_claim(time.monotonic())
            claimed = self._turn(claim.task_types, claim.max_tasks)
            if claimed:
                self._idle.busy()
                self._run_batch(claimed, claim.max_tasks)
            elif claim.task_types != list(self._options.task_types):
                self._batches.found_nothing()
            elif self._options.until_idle and self._is_idle():
                return
            else:
                self._batches.found_nothing()
                self._idle.wait()
            self._janitor()
            self._look_at_storage()

    def _run_batch(self, claimed: list[Claimed], asked: int) -> None:
        held = [(one.task.task_id, one.task.attempt) for one in claimed]
        self._attempts.hold(held)
        started = time.monotonic()
        done = 0
        for one in claimed:
            if done and self._should_cut(time.monotonic() - started):
                break
            before = time.monotonic()
            report = self._runner.run(one)
            if report is not None:
                self._finished.append(report)
            self._batches.took(one.task.task_type, time.monotonic() - before)
            done += 1
        self._attempts.let_go(held)
        self._batches.batch_took(asked, len(claimed), time.monotonic() - started)
        if done < len(claimed) and not self._draining:
            # What one task was slower at than expected, others can do meanwhile.
            self._turn([], 0)
            self._release(stopping=False)

    def _should_cut(self, seconds: float) -> bool:
        return self._draining or seconds > SLOW_BATCH or sum(len(report.text) for report in self._finished) > LARGEST_TURN

    def _janitor(self) -> None:
        if time.monotonic() < self._janitor_at:
            return
        self._janitor_at = time.monotonic() + JANITOR_CHECK_EVERY
        try:
            if self._engine.run_janitor_if_due():
                process_log().info("ran the janitor, which nobody else had for 90 seconds")
        except psycopg.Error as error:
            process_log().warning("janitor failed", error=in_short(error))

    def _look_at_storage(self) -> None:
        if time.monotonic() < self._storage_at:
            return
        self._storage_at = time.monotonic() + STORAGE_LOOK_EVERY
        try:
            copies.sweep()
        except (OSError, TaskError) as error:
            process_log().warning("cannot remove copies of sources", error=str(error))
        try:
            self._engine.report_storage(self._identity.worker_id, look_at(self._storage))
        except psycopg.Error as error:
            process_log().warning("cannot say how the storage is", error=in_short(error))

    def _is_idle(self) -> bool:
        try:
            return self._engine.is_idle(self._options.task_types)
        except psycopg.Error as error:
            process_log().warning("cannot ask whether idle", error=in_short(error))
            return False

    def _check_parent(self) -> None:
        if os.getppid() != self._parent and not self._draining:
            process_log().warning("the supervisor is gone, draining")
            self.drain()

    # Talking to the engine

    def _turn(self, task_types: list[str], max_tasks: int) -> list[Claimed]:
        """Report and claim. Comes back only when the engine has answered, whatever that takes."""
        backoff = Backoff(0.2, 15.0)
        while True:
            try:
                if self._refused:
                    self._report_singly()
                if self._unsure:
                    self._recover()
                # A drain that began during a wait for the database: report, but claim nothing new.
                claimed = self._engine.turn(
                    self._identity.worker_id, [report.text for report in self._finished], task_types, 0 if self._draining else max_tasks
                )
            except WorkerDeadError as death:
                self._rename(death)
            except psycopg.Error as error:
                if is_disconnected(error):
                    self._unsure = True
                elif self._finished and not is_transient(error):
                    self._refused = True
                    continue
                self._wait_for_database(backoff, error)
            else:
                self._finished.clear()
                return claimed

    def _recover(self) -> None:
        """After a lost answer: send again what may not have arrived, and give back what may have been claimed."""
        self._engine.turn(self._identity.worker_id, [report.text for report in self._finished], [], 0)
        self._finished.clear()
        released = self._engine.release(self._identity.worker_id)
        self._unsure = False
        process_log().info("connected again", released=released)

    def _report_singly(self) -> None:
        """The engine refuses a batch: find the report that it refuses, and fail that task alone."""
        for report in list(self._finished):
            self._finished.remove(report)
            attempt: Report | None = report
            while attempt is not None:
                try:
                    self._engine.turn(self._identity.worker_id, [attempt.text], [], 0)
                    break
                except psycopg.Error as error:
                    if is_transient(error):
                        self._finished.append(attempt)
                        raise
                    process_log().error("report refused", task=report.task.task_id, attempt=report.task.attempt, error=in_short(error))
                    attempt = attempt.after_refusal(in_short(error))
        self._refused = False

    def _register(self) -> None:
        backoff = Backoff(0.2, 15.0)
        while True:
            try:
                self._engine.register(
                    self._identity.worker_id, self._options.task_types, self._identity.hostname, os.getpid(), software_version()
                )
                return
            except WorkerDeadError:
                self._identity.renew()
            except psycopg.Error as error:
                self._wait_for_database(backoff, error)

    def _rename(self, death: WorkerDeadError) -> None:
        """Go on under a new worker_id. What the old one held has been taken back."""
        old = self._identity.worker_id
        self._identity.renew()
        configure_logging(self._identity.worker_id)
        process_log().warning("declared dead, going on under a new worker_id", was=old, reason=str(death))
        self._unsure = False
        self._register()

    def _release(self, *, stopping: bool) -> None:
        backoff = Backoff(0.2, 15.0)
        while True:
            try:
                released = self._engine.release(self._identity.worker_id, stopping=stopping)
            except psycopg.Error as error:
                self._wait_for_database(backoff, error)
            else:
                if released:
                    process_log().info("gave tasks back", released=released)
                return

    def _stop(self) -> None:
        """Report what is finished, give back the rest, and say good-bye."""
        self._draining = True
        if self._finished:
            self._turn([], 0)
        # Not before: a heart that beats on after the worker has stopped would look like a zombie's.
        self._heartbeat.stop()
        self._release(stopping=True)

    def _wait_for_database(self, backoff: Backoff, error: psycopg.Error) -> None:
        delay = backoff.delay()
        if self._draining:
            self._give_up_at = self._give_up_at or time.monotonic() + (DRAIN_PATIENCE if self._finished else DRAIN_PATIENCE / 10)
            if time.monotonic() > self._give_up_at:
                raise _GaveUpError(in_short(error)) from error
            delay = min(delay, 1.0)
        process_log().warning(
            "database does not answer as it should", error=in_short(error), sqlstate=error.sqlstate, retry_in=round(delay, 1)
        )
        self._wake.wait(delay)


class _GaveUpError(Exception):
    """A draining worker's database did not come back."""
