"""ops/status.py: what `make status` shows, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from psycopg.types.json import Jsonb

from ops.status import WIDTH, bar, duration, one_line, size
from tests.py.support.server import CHECKOUT, Database

WIDE = Jsonb([{"name": "load", "fan_out": "count", "path": "$.n", "failure_policy": "continue", "backoff_seconds": 60}])
NASTY = "\x1b[2J\x1b[Hgone\r\n" + "long " * 50


def status(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.status", *arguments],
        cwd=CHECKOUT,
        env=database.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_database_is_told_plainly(module_database: Database) -> None:
    done = status(module_database)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Queue     0 stages open" in done.stdout
    assert "\x1b" not in done.stdout
    assert "Running" not in done.stdout, "what there is none of has no section"


def test_an_administrator_sees_the_same(module_database: Database) -> None:
    done = status(module_database, "--role", "admin")
    assert (done.returncode, done.stderr) == (0, "")


def test_every_section_fits_and_strangers_text_moves_no_cursor(engine_database: Database) -> None:
    with engine_database.connect("superuser") as admin:
        admin.execute("SELECT tests.given_workflow('wide', %s)", (WIDE,))
        admin.execute("SELECT app.submit_job('wide', '{\"n\": 12000}')")
        claimed = admin.execute("SELECT task_id, attempt FROM app.turn(%s, '[]', NULL, 4)", (f"host-1 {NASTY}"[:200],)).fetchall()
        for task, error in zip(claimed, ({"retryable": True}, {"retryable": False}), strict=False):
            admin.execute("SELECT app.fail_task(%s, %s, %s)", (*task, Jsonb({"code": NASTY, "message": NASTY} | error)))
        admin.execute("SELECT app.pause_task_type('other', %s)", (NASTY,))
        admin.execute("SELECT tests.move_clock('20 minutes')")
    done = status(engine_database)
    assert (done.returncode, done.stderr) == (0, "")
    for title in ("Stuck", "Open jobs", "Running", "Waiting", "Dead letters", "Largest tables"):
        assert f"\n{title}" in done.stdout, done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > WIDTH] == []
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "0/12,000 (1✗)" in done.stdout


def test_no_server_is_said_in_one_line(tmp_path: os.PathLike[str]) -> None:
    environment = {"PATH": os.environ["PATH"], "GEOMILL_HOME": str(tmp_path), "GEOMILL_DSN_OWNER": "postgresql://nobody@127.0.0.1:1/none"}
    done = subprocess.run([sys.executable, "-m", "ops.status"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("geomill: ")
    assert "Traceback" not in done.stderr


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_on_a_terminal_it_refreshes_until_it_is_interrupted(module_database: Database) -> None:
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.status", "--every", "0.2"],
        cwd=CHECKOUT,
        env=module_database.environment() | {"TERM": "xterm"},
        stdout=other_end,
        stderr=subprocess.PIPE,
        # Whoever runs the suite in the background ignores interrupts, and so would the child.
        preexec_fn=heed_interrupts,  # noqa: PLW1509 (no threads here)
    )
    os.close(other_end)
    seen = b""
    try:
        until = time.monotonic() + 300
        while seen.count(b"\x1b[H") < 3 and time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 65536)
        assert seen.count(b"\x1b[H") >= 3, seen[-2000:]
        process.send_signal(signal.SIGINT)
        while time.monotonic() < until:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert seen.startswith(b"\x1b[?1049h"), "a screen of its own"
    assert seen.endswith(b"\x1b[?25h\x1b[?1049l"), "which it leaves as it found it"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(milliseconds=35), "35ms"),
        (timedelta(seconds=2.4), "2.4s"),
        (timedelta(seconds=190), "3m10s"),
        (timedelta(hours=2, minutes=5), "2h05m"),
        (timedelta(days=4, hours=3), "4d"),
        (timedelta(seconds=-61), "-1m01s"),
        (None, "-"),
    ],
)
def test_spans_are_short(span: timedelta | None, text: str) -> None:
    assert duration(span) == text


def test_the_rest_is_short_too() -> None:
    assert (size(900), size(2_700_000)) == ("900 B", "2.6 MB")
    assert (bar(0), bar(0.5), bar(1), bar(7), bar(None)) == ("░" * 10, "█" * 5 + "░" * 5, "█" * 10, "█" * 10, "░" * 10)
    assert one_line("a\x1b[2J\nb") == "a [2J b"
