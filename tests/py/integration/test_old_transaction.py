"""A turn reads as little after thousands of others, all of whose dead rows an old transaction keeps, as at first."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
TURN = "SELECT task_id, attempt FROM app.turn('w1', %s, '{work}', 1)"
STAGE = Jsonb([{"fan_out": "count", "path": "$.n"}])


def _report(admin: psycopg.Connection[Any]) -> Jsonb:
    """What the worker has claimed, as finished."""
    row = admin.execute("SELECT holding, holding_attempts FROM app.workers WHERE worker_id = 'w1'").fetchone()
    assert row is not None
    return Jsonb([{"task_id": task, "attempt": attempt} for task, attempt in zip(*row, strict=True)])


def _buffers(admin: psycopg.Connection[Any]) -> int:
    """Shared buffers that a turn reads: the least of eight, because now and then one does some housekeeping."""
    least = 1_000_000
    for _ in range(8):
        plan = admin.execute(EXPLAIN + TURN, (_report(admin),)).fetchone()
        assert plan is not None
        node = (json.loads(plan[0]) if isinstance(plan[0], str) else plan[0])[0]["Plan"]
        least = min(least, node["Shared Hit Blocks"] + node["Shared Read Blocks"])
    return least


@pytest.mark.parametrize(("jobs", "tasks"), [(1, 2000), (2000, 1)], ids=["one stage of 2000 tasks", "2000 jobs of one task"])
def test_a_turn_reads_no_more(engine_database: Any, jobs: int, tasks: int) -> None:
    with engine_database.connect("superuser") as admin, engine_database.connect("superuser", autocommit=False) as old:
        admin.execute("SELECT tests.given_workflow('flat', %s)", (STAGE,))
        admin.execute(
            "SELECT app.submit_job('flat', jsonb_build_object('n', %s::integer, 'i', i)) FROM generate_series(1, %s) AS i", (tasks, jobs)
        )
        old.execute("SELECT txid_current()")
        claimed: list[Any] = []
        for nth in range(1500):
            report = Jsonb([{"task_id": task, "attempt": attempt} for task, attempt in claimed])
            claimed = admin.execute(TURN, (report,)).fetchall()
            if nth == 100:
                before = _buffers(admin)
                claimed = admin.execute(TURN, (_report(admin),)).fetchall()
        after = _buffers(admin)
        assert old.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        assert after < before * 1.3, f"{before} buffers, then {after}"
