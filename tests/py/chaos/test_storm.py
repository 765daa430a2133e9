"""Worker processes killed -9 at random, backends terminated, clocks that jump, janitors in pairs, cancels and retries, all at once.

While it lasts, an observer asks for the invariants again and again; when it is over, what is left is done to its end, and
they are asked for a last time.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.py.support.server import CHECKOUT, Database, outside_environment
from tests.py.support.waiting import wait_for

from .invariants import check, violations
from .length import LONG, SEED, rng, seconds
from .scenes import one, recover

WORKERS = 4
CAP = 3


class Storm:
    """The worker processes, and what befalls them."""

    def __init__(self, database: Database, folder: Path, chance: random.Random) -> None:
        self.database, self.folder, self.chance = database, folder, chance
        self.processes: list[subprocess.Popen[bytes]] = []
        self.started = 0
        self.errors: list[str] = []

    def start_worker(self) -> None:
        self.started += 1
        with (self.folder / f"{self.started}.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.py.chaos.storm", self.database.dsn(), f"storm-{self.started}", f"{SEED} {self.started}"]
            self.processes.append(subprocess.Popen(command, cwd=CHECKOUT, env=outside_environment(), stdout=log, stderr=log))

    def kill_worker(self) -> None:
        victim = self.processes.pop(self.chance.randrange(len(self.processes)))
        # One that ended by itself met an error that no worker should meet.
        if victim.poll() is not None:
            self.errors.append("a worker ended by itself")
        victim.kill()
        victim.wait()

    def ended_badly(self) -> list[str]:
        """What workers said that ended by an error of theirs, and not by a kill."""
        logs = [log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log"))]
        return [text[-2000:] for text in logs if text] + self.errors

    @contextmanager
    def workers(self) -> Iterator[None]:
        for _ in range(WORKERS):
            self.start_worker()
        try:
            yield
        finally:
            while self.processes:
                self.kill_worker()


class Observer(threading.Thread):
    """Asks for the invariants while everything is in motion."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database, self.stopped = database, threading.Event()
        self.broken: list[str] = []
        self.looked = 0

    def run(self) -> None:
        with self.database.connect() as connection:
            while not self.broken and not self.stopped.wait(0.2):
                self.broken += violations(connection)
                self.looked += 1


def submit(admin: psycopg.Connection[Any], jobs: int) -> None:
    """Jobs of some adjacent tasks: after each task one with an effect; or under a cap."""
    submitted = "SELECT app.submit_job(%s, jsonb_build_object('n', 4, 'i', gen_random_uuid())) FROM generate_series(1, %s)"
    admin.execute(submitted, ("sturdy", jobs))
    admin.execute(submitted, ("narrow", jobs // 4))


def strike(admin: psycopg.Connection[Any], storm: Storm) -> None:
    """One misfortune."""
    chance = storm.chance
    blow = chance.choice(["kill", "kill", "terminate", "terminate", "clock", "janitors", "cancel", "retry", "pause", "none"])
    if blow == "kill":
        storm.kill_worker()
        storm.start_worker()
    elif blow == "terminate":
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'storm' ORDER BY random() LIMIT %s) AS unlucky",
            (chance.randint(1, 3),),
        )
    elif blow == "clock":
        admin.execute("SELECT tests.move_clock(%s * interval '1 second')", (chance.choice([-3600, -70, -5, 5, 70, 4000]),))
    elif blow == "janitors":
        with storm.database.connect() as other:
            threads = [threading.Thread(target=lambda c=c: c.execute("SELECT app.run_janitor()")) for c in (admin, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    elif blow in ("cancel", "retry"):
        job = admin.execute(
            "SELECT job_id FROM app.jobs WHERE status = ANY (%s::app.job_status[]) ORDER BY random() LIMIT 1",
            (["pending", "processing"] if blow == "cancel" else ["cancelled", "failed"],),
        ).fetchone()
        if job:
            act = "SELECT app.cancel_job(%s)" if blow == "cancel" else "SELECT app.retry_job(%s)"
            try:
                admin.execute(act.encode(), job)
            except psycopg.Error as error:
                assert error.sqlstate == "GM409", error  # noqa: PT017
    elif blow == "pause":
        admin.execute("SELECT app.pause_task_type('held', 'storm')" if chance.random() < 0.5 else "SELECT app.resume_task_type('held')")


def has_raged(admin: psycopg.Connection[Any], observer: Observer) -> bool:
    return observer.looked > 5 and bool(one(admin, "SELECT count(*) FROM app.tasks WHERE status = 'completed'") > 100)


def test_everything_at_once(chaos_database: Database, tmp_path: Path) -> None:
    storm = Storm(chaos_database, tmp_path, rng("storm"))
    observer = Observer(chaos_database)
    with chaos_database.connect(options="-c deadlock_timeout=200ms") as admin:
        admin.execute("SELECT app.set_cap('task_type', 'capped', %s)", (CAP,))
        submit(admin, 40)
        observer.start()
        with storm.workers():
            until, give_up = time.monotonic() + (seconds(0.2) if LONG else 6), time.monotonic() + seconds(0.2) + 300
            # On a busy machine longer: until something has happened, and has been looked at.
            while not observer.broken and (time.monotonic() < until or not has_raged(admin, observer)):
                assert time.monotonic() < give_up, "hardly anything is completed"
                time.sleep(storm.chance.random() * 0.2)
                strike(admin, storm)
                if one(admin, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')") < 20:
                    submit(admin, 20)
        observer.stopped.set()
        observer.join()
        assert observer.broken == [], "while it lasted"
        assert storm.ended_badly() == []
        # The server notices that a killed process is gone when it reads from it next.
        there = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'storm'"
        wait_for(lambda: admin.execute(there).fetchall() == [])
        check(admin, after="the storm")
        admin.execute("SELECT app.resume_task_type('held')")
        # Whatever the clocks said: now it is later than ever.
        admin.execute(
            "SELECT tests.move_clock((SELECT greatest(max(last_beat) - app.clock(), interval '0') + interval '2 hours' FROM app.workers))"
        )
        recover(admin)
        check(admin, "at the end", after="the storm and its recovery")
        assert one(admin, "SELECT count(*) FROM app.janitor_runs WHERE error IS NOT NULL") == 0
