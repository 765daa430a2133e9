"""A hold is of one task: no other task's id comes to the same lock."""

from __future__ import annotations

from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

TASKS = [(86 << 24) | 1, 342 << 24, (598 << 24) | 3, 2**62 + 5]
"""Both halves of the first three, one folded upon the other, are the same 32 bits."""


def test_holds_of_different_tasks_do_not_meet(engine_database: Database) -> None:
    with engine_database.connect() as admin:
        connections = [engine_database.connect("worker", autocommit=False) for _ in TASKS]
        try:
            for connection, task in zip(connections, TASKS, strict=True):
                connection.execute("SELECT app.hold_task(%s, 1)", (task,))
            held = admin.execute("SELECT pid, task_id FROM app.open_holds()").fetchall()
            assert sorted(held) == sorted((c.info.backend_pid, task) for c, task in zip(connections, TASKS, strict=True))
            shown = admin.execute("SELECT pid, task_id FROM app.transactions() WHERE kind = 'hold'").fetchall()
            assert sorted(shown) == sorted(held)
        finally:
            for connection in connections:
                connection.close()
        # The server notices that a client is gone when it reads next.
        wait_for(lambda: admin.execute("SELECT FROM app.open_holds()").fetchall() == [])
