"""Sixteen chunks of one layer are loaded at the same moment, each in a transaction of its own, and nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.py.vector.conftest import Mill
from tests.py.vector.test_killed import squares
from workers.vector import load

LOADERS = 16
ROWS = LOADERS * 100 - 1


def test_sixteen_loaders_without_deadlock(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    source = squares(mill.sources / "parallel.gpkg", range(ROWS), kind=["k"] * (ROWS + 1))
    request_id = mill.submit(source, table_name="parallel", chunk_rows=100, key_columns=["number"])
    mill.work(1)
    assert mill.rows("SELECT count(*) AS n FROM app.tasks WHERE status = 'pending'") == [{"n": LOADERS}]
    # Each stands inside its transaction, with its rows staged, until all of them do.
    everybody, insert = threading.Barrier(LOADERS, timeout=300), load.insert

    def at_once(*arguments: Any, **options: Any) -> Any:
        everybody.wait()
        return insert(*arguments, **options)

    monkeypatch.setattr(load, "insert", at_once)
    workers = [replace(mill, worker_id=f"{mill.worker_id}-{number}") for number in range(LOADERS)]
    with ThreadPoolExecutor(LOADERS) as threads:
        assert list(threads.map(lambda worker: worker.work(1), workers)) == [1] * LOADERS
    assert mill.rows("SELECT max(attempt) AS attempts FROM app.tasks") == [{"attempts": 1}]
    assert mill.rows("SELECT FROM app.task_errors") == []
    monkeypatch.undo()
    mill.work()
    assert mill.status(request_id)["counts"] == {"read": ROWS + 1, "inserted": ROWS, "updated": 0, "rejected": 1}
    assert mill.rows("SELECT count(DISTINCT etl_batch_id) AS n, count(DISTINCT number) AS m FROM geo.parallel") == [
        {"n": LOADERS, "m": ROWS}
    ]
