"""A deploy that adds, changes and drops while workers work and a client asks: nothing is lost, and nobody sees an error."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from codegen import deploy, plan
from codegen.connection import connect_to
from codegen.ddl import Statement
from codegen.desired import Desired
from tests.conftest import StartWorkers
from tests.py.codegen.changed import changed
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

WORKERS = 8
PAUSE = 0.02

NEXT = changed(
    {"app.jobs": "note text", "app.tasks": "hint text DEFAULT 'none'", "app.workers": "host text"},
    more=(
        Statement("indexes", "index", "app.idx_jobs_note", "CREATE INDEX idx_jobs_note ON app.jobs (note) WHERE note IS NOT NULL;", "app"),
        Statement("tables", "check", "c", "ALTER TABLE app.jobs ADD CONSTRAINT jobs_note_check CHECK (length(note) < 100);", "app"),
        Statement("tables", "table", "app.extras", "CREATE TABLE app.extras (n integer PRIMARY KEY);", "app"),
    ),
    # Every function of the engine is another one, and does the same.
    replaced={"\nBEGIN\n": "\nBEGIN\n    -- the next release\n", "'fail_job', 'continue'": "'fail_job', 'continue', 'ask'"},
)
"""The next release: columns of the claim path, an index, a check, an enum label, a table, every body."""

BEFORE = changed(replaced={"'fail_job', 'continue'": "'fail_job', 'continue', 'ask'"})
"""The one before, but for the label: to take one away is to write tables anew, which nobody does beside running work."""


@dataclass
class Client:
    """Calls one function over and over, and remembers what went wrong and how long the longest call was."""

    database: Database
    role: Any
    statement: str
    errors: list[str] = field(default_factory=list)
    calls: int = 0
    longest: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with self.database.connect(self.role) as connection:
            while not self.stop.is_set():
                begun = time.monotonic()
                try:
                    connection.execute(self.statement.encode(), [f"{self.role} {self.calls}"]).fetchall()
                except psycopg.Error as error:
                    self.errors.append(str(error))
                self.calls += 1
                self.longest = max(self.longest, time.monotonic() - begun)
                # No more than can be done: a slow machine is to come to the end of it.
                self.stop.wait(PAUSE)


def carry_out(database: Database, wanted: Desired, *allowed: str) -> list[str]:
    said: list[str] = []
    with connect_to(database.dsn()) as connection, deploy.alone(database.dsn()):
        deploy.deploy_schemas(connection, wanted, said.append, allowed=allowed)
        assert plan.plan(connection, wanted, locked=True).differences == ()
    return said


def test_workers_and_clients_notice_nothing_of_a_deploy(database: Database, workers: StartWorkers, capsys: Any) -> None:
    clients = [
        Client(database, "worker", "SELECT app.submit_job('hello_world', jsonb_build_object('n', 5, 'message', %s::text))"),
        Client(database, "ddh", "SELECT request_id FROM platform.list_requests() WHERE request_id <> %s"),
    ]
    started = workers("--processes", str(WORKERS))
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    lost = [f"data-loss:app.{column}" for column in ("tasks.hint", "jobs.note", "workers.host")]
    try:
        carry_out(database, NEXT)
        carry_out(database, BEFORE, *lost)
        carry_out(database, NEXT)
    finally:
        for client in clients:
            client.stop.set()
        for thread in threads:
            thread.join()
    assert [client.errors for client in clients] == [[], []]
    with database.connect() as connection:
        wait_for(lambda: is_done(connection), timeout=400, interval=0.2)
        statuses = connection.execute("SELECT status::text, count(*) FROM app.jobs GROUP BY 1").fetchall()
        tasks = connection.execute("SELECT status::text, count(*) FROM app.tasks GROUP BY 1").fetchall()
        errors = connection.execute("SELECT error FROM app.task_errors").fetchall()
    jobs = clients[0].calls
    assert (statuses, tasks, errors) == ([("completed", jobs)], [("completed", 10 * jobs)], [])
    started.terminate()
    started.wait()
    assert [line for line in started.output.splitlines() if '"level": "error"' in line or " error " in line.lower()] == []
    longest = ", ".join(f"{client.role} {client.longest * 1000:.0f} ms" for client in clients)
    with capsys.disabled():
        print(f"\n  {jobs} jobs beside three deploys; longest call: {longest}")


def is_done(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("SELECT FROM app.jobs WHERE status IN ('pending', 'processing') LIMIT 1").fetchone() is None
