"""Jobs of an operator, run to their end."""

from __future__ import annotations

from typing import Any, Protocol

import pytest
from psycopg.types.json import Jsonb

from tests.conftest import StartWorkers
from tests.py.support.server import Database


class Run(Protocol):
    """Submits a job as an operator and has workers do it; its status, result and error."""

    def __call__(self, job_type: str, parameters: dict[str, Any], *, on: Database) -> tuple[str, Any, Any]: ...


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


@pytest.fixture
def run(workers: StartWorkers) -> Run:
    def go(job_type: str, parameters: dict[str, Any], *, on: Database) -> tuple[str, Any, Any]:
        job = submit(on, job_type, parameters)
        workers("--until-idle", "--processes", "1", database=on).wait()
        return outcome(on, job)

    return go
