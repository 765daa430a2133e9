"""Requests of the client ddh_v1 through SQL, and a worker in this process that does their tasks, one after the other."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.conftest import CLIENT
from tests.py.support.samples import place
from tests.py.support.server import Database
from workers.attempts import Attempts
from workers.engine import Engine
from workers.registry import load_handlers
from workers.runner import Runner
from workers.storage import Storage

TASKS = (
    "vector_plan",
    "vector_chunk",
    "vector_finish_v2",
    "vector_download",
    "vector_catalogue_v2",
    "discard_v3",
    "vector_withdraw_v2",
    "unpublish_files_v3",
    "vector_report",
)


@dataclass
class Mill:
    """A database, a folder that the client may name sources in, a storage, and a worker."""

    database: Database
    sources: Path
    storage: Storage
    ddh: psycopg.Connection[Any]
    superuser: psycopg.Connection[Any]
    worker_id: str
    tasks: Sequence[str] = TASKS

    def place(self, name: str) -> Path:
        """A copy of a sample in the client's folder."""
        return place(name, self.sources)

    def write(self, name: str, content: str | bytes | Mapping[str, Any]) -> Path:
        """A file in the client's folder: bytes, text, or JSON."""
        path = self.sources / name
        path.write_bytes(content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode())
        return path

    def zip(self, path: Path) -> Path:
        """A zip of a file, with the parts that belong to it."""
        folder = self.sources / uuid.uuid4().hex
        folder.mkdir()
        parts = {".shp": (".shx", ".dbf", ".prj", ".cpg"), ".tab": (".dat", ".map", ".id"), ".mif": (".mid",)}
        for suffix in (path.suffix, *parts.get(path.suffix, ())):
            if path.with_suffix(suffix).is_file():
                shutil.copy(path.with_suffix(suffix), folder)
        return Path(shutil.make_archive(str(self.sources / f"{path.stem}-{folder.name}"), "zip", folder))

    def submit(self, path: Path, *, dataset: str | None = None, **config: Any) -> str:
        """A vector request that is processed, whatever was before; its id."""
        row = self.ddh.execute(
            "SELECT request_id FROM platform.submit_request(%s, 'r', 'v1', %s, 'vector', %s)",
            (dataset or f"d{uuid.uuid4().hex[:12]}", str(path), Jsonb({"reprocess": True, **config})),
        ).fetchone()
        assert row is not None
        return str(row["request_id"])

    def work(self, most: int | None = None) -> int:
        """Do the open tasks until there are none, or as many as given; how many that were."""
        engine, runner, done = Engine("turn"), Runner(load_handlers(), self.storage, Attempts()), 0
        finished: list[str] = []
        give_up = time.monotonic() + 400
        try:
            while time.monotonic() < give_up:
                claimed = engine.turn(self.worker_id, finished, self.tasks, 0 if done == most else 1)
                finished = []
                if claimed:
                    done += 1
                    report = runner.run(claimed[0])
                    finished = [] if report is None else [report.text]
                elif done == most or engine.is_idle(self.tasks):
                    return done
                else:
                    time.sleep(0.2)  # a retry is waiting for its time
            errors = self.rows("SELECT task_id, attempt, error FROM app.task_errors")
            raise AssertionError(f"after {done} tasks some are open: {errors}")
        finally:
            runner.close()
            engine.close()

    def status(self, request_id: str) -> dict[str, Any]:
        """The request's status document."""
        row = self.ddh.execute("SELECT platform.get_request_status(%s) AS status", (request_id,)).fetchone()
        assert row is not None
        return dict(row["status"])

    def ingest(self, path: Path, **config: Any) -> Ingested:
        """Submit, work, and expect success."""
        request_id = self.submit(path, **config)
        self.work()
        status = self.status(request_id)
        assert status["status"] == "completed", status
        return Ingested(self, request_id, status)

    def refused(self, path: Path, **config: Any) -> dict[str, Any]:
        """Submit, work, and expect failure without leftovers; the error."""
        request_id = self.submit(path, **config)
        self.work()
        status = self.status(request_id)
        assert status["status"] == "failed", status
        assert self.leftovers() == []
        return dict(status["error"])

    def leftovers(self) -> list[str]:
        """Tables in geo that no completed request has, and staging tables."""
        rows = self.superuser.execute(
            """
            SELECT c.relname FROM pg_class AS c
             WHERE c.relnamespace = 'geo'::regnamespace AND c.relkind = 'r'
               AND NOT EXISTS (SELECT FROM platform.requests AS r WHERE r.table_name = c.relname AND r.published_revision IS NOT NULL)
            """
        ).fetchall()
        return [row["relname"] for row in rows]

    def rows(self, statement: LiteralString | sql.Composed, *values: object) -> list[dict[str, Any]]:
        """What a query of the superuser's returns."""
        return self.superuser.execute(statement, values).fetchall()

    def rejects(self, request_id: str) -> list[dict[str, Any]]:
        """What the client can read of rejected rows."""
        return self.ddh.execute("SELECT * FROM platform.get_rejects(%s)", (request_id,)).fetchall()


@dataclass
class Ingested:
    """A completed request and its table."""

    mill: Mill
    request_id: str
    status: dict[str, Any]

    @property
    def table(self) -> str:
        return str(self.status["endpoints"]["table"])

    @property
    def relation(self) -> sql.Identifier:
        """The table, for a statement."""
        return sql.Identifier(*self.table.split("."))

    @property
    def report(self) -> dict[str, Any]:
        """What finish reported."""
        [row] = self.mill.rows(
            "SELECT result_data -> 'vector' AS report FROM app.jobs WHERE platform_request_id = %s AND job_type = 'ingest_vector'"
            " ORDER BY created_at DESC LIMIT 1",
            self.request_id,
        )
        return dict(row["report"])

    @property
    def warnings(self) -> list[str]:
        return [warning["code"] for warning in self.report["warnings"]]

    def rows(self, columns: LiteralString | sql.Composed = "*", tail: LiteralString = "ORDER BY objectid") -> list[dict[str, Any]]:
        """Rows as the client reads them."""
        selected = columns if isinstance(columns, sql.Composed) else sql.SQL(columns)
        return self.mill.ddh.execute(sql.SQL("SELECT {} FROM {} {}").format(selected, self.relation, sql.SQL(tail))).fetchall()

    def value(self, expression: LiteralString) -> Any:
        return next(iter(self.rows(expression, "")[0].values()))


@pytest.fixture(scope="module")
def mill(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    folder = tmp_path_factory.mktemp("mill")
    sources = folder / "sources"
    sources.mkdir()
    with pytest.MonkeyPatch.context() as patch, module_database.connect(row_factory=dict_row) as superuser:
        for name, value in module_database.environment().items():
            if os.environ.get(name) != value:
                patch.setenv(name, value)
        superuser.execute("INSERT INTO platform.source_roots (client_id, root) VALUES (%s, %s)", (CLIENT, f"{sources}/"))
        with module_database.connect("ddh", row_factory=dict_row) as ddh:
            yield Mill(module_database, sources, Storage.at(folder / "storage"), ddh, superuser, f"test-{uuid.uuid4().hex}")
