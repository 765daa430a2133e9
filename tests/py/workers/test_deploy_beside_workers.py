"""Workers live through a deploy: every function is replaced, again and again, while they work.

The rule that makes it possible is in docs/dba.md: a public function's name, arguments and result columns never change in
place; a new shape is a new function. So a worker that was started before the deploy goes on, and nobody notices.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from codegen import generate
from tests.conftest import StartWorkers
from tests.py.platform.together import value
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

TASKS = 100
REPLACEMENTS = 10


def _replace_everything(connection: psycopg.Connection[Any]) -> int:
    """What a deploy of new bodies does: one transaction, a short lock_timeout, tried again where it ran into one."""
    for attempt in range(1, 21):
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '500ms'")
                # As the deploy leaves it: the API's functions belong to geomill_api, which may create only while it is deployed.
                connection.execute("GRANT CREATE ON SCHEMA app, platform TO geomill_api")
                for statement in generate.statements():
                    if statement.phase in ("functions", "validators"):
                        connection.execute(statement.sql.encode())
                connection.execute("REVOKE CREATE ON SCHEMA app, platform FROM geomill_api")
        except (psycopg.errors.LockNotAvailable, psycopg.errors.InternalError_):
            continue
        return attempt
    raise AssertionError("the functions could not be replaced")


def test_workers_live_through_deploys(database: Database, workers: StartWorkers) -> None:
    with database.connect() as admin:
        jobs = 0

        def completed() -> int:
            return int(value(admin, "SELECT count(*) FROM app.tasks WHERE status = 'completed'"))

        def submit() -> None:
            nonlocal jobs
            jobs += 1
            value(admin, "SELECT app.submit_job('hello_world', %s)", Jsonb({"n": TASKS, "message": f"job {jobs}"}))

        submit()
        running = workers("--processes", "2", "--max-batch", "3")
        wait_for(lambda: completed() > 0 and value(admin, "SELECT count(*) FROM app.workers") == 2)
        started = {row[0] for row in admin.execute("SELECT worker_id FROM app.workers")}
        for _ in range(REPLACEMENTS):
            submit()
            _replace_everything(admin)
            before = completed()
            # More than was being done, so that at least one turn was begun with the new functions.
            submit()

            def moved_on(than: int = before + 12) -> bool:
                return bool(completed() > than)

            wait_for(moved_on)
        wait_for(lambda: value(admin, "SELECT count(*) FROM app.jobs WHERE status NOT IN ('completed')") == 0, timeout=300)
        assert completed() == 2 * jobs * TASKS
        assert value(admin, "SELECT count(*) FROM app.task_errors") == 0
        assert value(admin, "SELECT max(attempt - forgiven) FROM app.tasks") == 1
        assert {row[0] for row in admin.execute("SELECT worker_id FROM app.workers")} == started, "none had to start anew"
    complaints = [json.loads(line) for line in running.output.splitlines() if line.startswith("{")]
    assert [line for line in complaints if line.get("level") in ("error", "critical")] == []
