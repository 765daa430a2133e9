"""Requests of one client that read the same bytes, and a worker in this process that does their tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.conftest import CLIENT
from tests.py.raster.client import path_of
from tests.py.vector.conftest import TASKS, Mill, mill
from workers import consistency

RASTER_TASKS = ("raster_validate_v2", "raster_convert_v2", "stac_raster_v3", "unpublish_withdraw")
COLLECTION_TASKS = (
    "collection_inspect_v2",
    "collection_convert_v3",
    "collection_gather",
    "collection_publish_v2",
    "discard_superseded_v2",
)

__all__ = ["mill"]


@dataclass
class Sharer(Mill):
    """A mill for files and tables alike."""

    def ask(self, resource: str, path: Path, **config: Any) -> str:
        """Submit a resource's first version; its type is told by the file's name, and a folder is a collection."""
        source, request_type = (f"{path}/", "collection") if path.is_dir() else (str(path), None)
        row = self.ddh.execute(
            "SELECT request_id FROM platform.submit_request('shared', %s, 'v1', %s, %s, %s)",
            (resource, source, request_type, Jsonb(config)),
        ).fetchone()
        assert row is not None
        return str(row["request_id"])

    def completed(self, request_id: str) -> dict[str, Any]:
        status = self.status(request_id)
        assert status["status"] == "completed", status
        return status

    def made(self, resource: str, path: Path, **config: Any) -> str:
        """Submit, work, and expect success; the request's id."""
        request_id = self.ask(resource, path, **config)
        self.work()
        self.completed(request_id)
        return request_id

    def tasks_of(self, request_id: str) -> list[str]:
        """The types of tasks that its jobs had."""
        rows = self.rows(
            "SELECT t.task_type FROM app.tasks AS t JOIN app.stages AS s ON s.stage_id = t.stage_id"
            "  JOIN app.jobs AS j ON j.job_id = s.job_id WHERE j.platform_request_id = %s ORDER BY t.task_id",
            request_id,
        )
        return [row["task_type"] for row in rows]

    def unpublish(self, request_id: str, *, dry_run: bool = False) -> dict[str, Any]:
        row = self.ddh.execute("SELECT platform.unpublish_request(%s, %s) AS document", (request_id, dry_run)).fetchone()
        assert row is not None
        return dict(row["document"])

    def files(self, request_id: str) -> list[str]:
        """Everything in the storage that lies below the request, by any name."""
        below = self.storage.root / CLIENT / request_id
        return sorted(str(path.relative_to(below)) for path in below.rglob("*") if path.is_file())

    def lineage(self, request_id: str) -> dict[str, Any]:
        row = self.ddh.execute("SELECT platform.get_lineage(%s) AS lineage", (request_id,)).fetchone()
        assert row is not None
        return dict(row["lineage"])

    def disagreements(self, *, repair: bool = False) -> list[tuple[str, str]]:
        with self.database.connect("worker") as connection:
            found, nobodys = consistency.find(connection, self.storage, lambda: None)
            if repair:
                consistency.repair(connection, self.storage, found, nobodys, lambda: None)
        return [(one.kind, one.subject) for one in found]

    def cog(self, request_id: str) -> Path:
        return path_of(self.completed(request_id)["endpoints"]["cog"])


@pytest.fixture(scope="module")
def sharer(mill: Mill) -> Sharer:
    return Sharer(
        mill.database, mill.sources, mill.storage, mill.ddh, mill.superuser, mill.worker_id, (*TASKS, *RASTER_TASKS, *COLLECTION_TASKS)
    )
