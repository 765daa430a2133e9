"""Jobs of an operator, run to their end by one worker that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.py.support.processes import Workers
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for


@dataclass
class Bench:
    """A database, a storage, and a worker on both."""

    database: Database
    storage: Path
    worker: Workers

    def run(self, job_type: str, parameters: dict[str, Any]) -> tuple[str, Any, Any]:
        """Submit a job and wait for its end: status, result and error."""
        job = submit(self.database, job_type, parameters)
        found = wait_for(lambda: _ended(self.database, job), timeout=400)
        assert found is not None
        return found

    def kill(self) -> None:
        """The worker dies, and the janitor learns of it at once; another takes over."""
        self.worker.kill()
        with self.database.connect() as admin:
            admin.execute("UPDATE app.workers SET last_beat = last_beat - interval '5 minutes' WHERE status = 'alive'")
            wait_for(lambda: _taken_back(admin))
            admin.execute("UPDATE app.tasks SET run_at = now() WHERE status = 'pending' AND run_at IS NOT NULL")
        self.worker = start(self.database, self.storage)


def start(database: Database, storage: Path) -> Workers:
    return Workers.start(("--processes", "1"), database.environment() | {"GEOMILL_STORAGE": str(storage)}, storage.parent / "worker.log")


def _taken_back(admin: Any) -> bool:
    admin.execute("SELECT app.run_janitor()")
    return bool(admin.execute("SELECT count(*) FROM app.tasks WHERE status = 'processing'").fetchone()[0] == 0)


def submit(database: Database, job_type: str, parameters: dict[str, Any]) -> str:
    with database.connect("admin") as admin:
        row = admin.execute("SELECT app.submit_job(%s, %s)", (job_type, Jsonb(parameters))).fetchone()
        assert row is not None
        return str(row[0])


def outcome(database: Database, job: str) -> tuple[str, Any, Any]:
    with database.connect("admin") as admin:
        row = admin.execute("SELECT status::text, result_data, error_details FROM app.jobs WHERE job_id = %s", (job,)).fetchone()
        assert row is not None
        return row[0], row[1], row[2]


def _ended(database: Database, job: str) -> tuple[str, Any, Any] | None:
    found = outcome(database, job)
    return None if found[0] in ("pending", "processing") else found


@pytest.fixture(scope="module")
def bench(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    storage = tmp_path_factory.mktemp("h3") / "storage"
    storage.mkdir()
    made = Bench(module_database, storage, start(module_database, storage))
    yield made
    made.worker.end()
