"""Workers that are killed (-9) in the middle of what they do, at a statement of the test's choice."""

from __future__ import annotations

import os
import signal
import uuid
from typing import Any

import psycopg
import pytest

from tests.py.support.waiting import wait_for
from tests.py.vector.conftest import Mill


def work_until(mill: Mill, statement: int) -> bool:
    """Work in a process that is killed before it sends this statement, counted from 1; whether it came to its end before."""
    mill.worker_id = f"test-{uuid.uuid4().hex}"
    child = os.fork()
    if child == 0:
        _work_and_die(mill, statement)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0, "the worker failed"
        return True
    assert os.WTERMSIG(status) == signal.SIGKILL
    take_back(mill)
    return False


def _work_and_die(mill: Mill, statement: int) -> None:
    """What the child does; it never returns."""
    left = statement

    def counted(method: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **options)

        return run

    patch = pytest.MonkeyPatch()
    for owner, name in ((psycopg.Cursor, "execute"), (psycopg.Cursor, "copy"), (psycopg.Connection, "commit")):
        patch.setattr(owner, name, counted(getattr(owner, name)))
    try:
        mill.work()
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run in the child
        os._exit(1)
    os._exit(0)


def take_back(mill: Mill) -> None:
    """What the janitor does a minute after a worker fell silent; a task may be tried as often as there are statements."""
    mill.superuser.execute("UPDATE app.job_stages SET max_attempts = 100 WHERE max_attempts < 100")
    mill.superuser.execute("UPDATE app.workers SET last_beat = last_beat - interval '5 minutes' WHERE worker_id = %s", (mill.worker_id,))

    def taken_back() -> bool:
        mill.superuser.execute("SELECT app.run_janitor()")
        return mill.rows("SELECT FROM app.tasks WHERE status = 'processing'") == []

    wait_for(taken_back)
    mill.superuser.execute("UPDATE app.tasks SET run_at = now() WHERE status = 'pending'")
