"""Copies of sources are brought once for the processes of a machine, whatever these die of, and do not fill its disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.py.support.server import CHECKOUT
from workers import copies
from workers.copies import share
from workers.errors import TaskCancelled, TaskError

WHOLE = b"whole"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEOMILL_SCRATCH", str(tmp_path))
    return tmp_path


class Bring:
    """Brings a file, and counts how often."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.times = 0
        self._before = before

    def __call__(self, folder: Path) -> None:
        self.times += 1
        self._before()
        (folder / "file").write_bytes(WHOLE)


def nothing() -> None:
    """What a task that goes on says when it is asked."""


def left() -> list[str]:
    return sorted(path.name for path in copies.place().rglob("*"))


def test_who_comes_later_finds_it_and_another_version_is_another_copy() -> None:
    bring = Bring()
    for identity in (["a", 1], ["a", 1], ["a", 2], ["a", 1]):
        copy = share(identity, 5, bring, nothing)
        assert (copy.folder / "file").read_bytes() == WHOLE
        copy.close()
    assert bring.times == 2


def test_it_is_let_go_once() -> None:
    copy = share(["a"], 5, Bring(), nothing)
    freed = copy.lock
    copy.close()
    others = os.open(os.devnull, os.O_RDONLY)
    assert others == freed, "the number is another file's now"
    copy.close()
    os.close(others)


def test_who_needs_it_meanwhile_waits() -> None:
    somebody_waits = Event()
    bring = Bring(lambda: somebody_waits.wait(120))

    def wait() -> None:
        # Asked of who does not have the lock only.
        somebody_waits.set()

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(share, ["a"], 5, bring, wait) for _ in range(2)]
        one, other = (future.result(120) for future in found)
    assert somebody_waits.is_set()
    assert (bring.times, one.folder) == (1, other.folder)
    one.close()
    copies.sweep(0)
    assert (other.folder / "file").read_bytes() == WHOLE, "another still reads it"
    other.close()
    copies.sweep(0)
    assert left() == []


def test_who_waits_can_be_cancelled() -> None:
    brought, cancelled = Event(), Event()

    def cancel() -> None:
        raise TaskCancelled("cancelled")

    def bring(folder: Path) -> None:
        brought.set()
        assert cancelled.wait(120)
        (folder / "file").write_bytes(WHOLE)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(share, ["a"], 5, bring, nothing)
        assert brought.wait(120)
        with pytest.raises(TaskCancelled):
            share(["a"], 5, bring, cancel)
        cancelled.set()
        slow.result(120).close()


KILLED = """
import sys, time
from workers.copies import share

def bring(folder):
    (folder / "file").write_bytes(b"half")
    print("half", flush=True)
    time.sleep(600)

share(["a"], 5, bring, lambda: None)
"""


def test_what_is_killed_over_one_leaves_no_half() -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait(120)
    process.stdout.close()
    assert any(name.endswith(".part") for name in left())
    copy = share(["a"], 5, Bring(), nothing)
    assert (copy.folder / "file").read_bytes() == WHOLE
    copy.close()
    assert not any(name.endswith(".part") for name in left())


def test_what_a_dead_process_left_is_swept() -> None:
    dead = copies.place() / "dead"
    dead.with_suffix(".part").mkdir()
    (dead.with_suffix(".part") / "file").write_bytes(b"half")
    dead.with_suffix(".lock").touch()
    copies.sweep()
    assert len(left()) == 3, "not yet"
    an_hour_ago = time.time() - 3600
    os.utime(dead.with_suffix(".lock"), (an_hour_ago, an_hour_ago))
    copies.sweep()
    assert left() == []


def test_what_cannot_be_brought_leaves_nothing() -> None:
    def bring(folder: Path) -> None:
        (folder / "file").write_bytes(b"half")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        share(["a"], 5, bring, nothing)
    assert left() == []
    share(["a"], 5, Bring(), nothing).close()


def test_beyond_the_bound_copies_are_used_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(copies.LIMIT, "12")
    bring = Bring()
    for identity in (["a"], ["b"], ["c"], ["a"], ["b"], ["c"]):
        share(identity, 5, bring, nothing).close()
    assert bring.times == 4, "a and b stay, c does not fit"


def test_a_folder_of_others_is_not_used(scratch: Path) -> None:
    folder = copies.place()
    folder.chmod(0o777)
    with pytest.raises(TaskError) as caught:
        share(["a"], 5, Bring(), nothing)
    assert (caught.value.detail.code, caught.value.detail.category) == ("SCRATCH_NOT_OURS", "system")
    folder.rmdir()
    (scratch / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(scratch / "elsewhere")
    with pytest.raises(TaskError, match="is a link"):
        share(["a"], 5, Bring(), nothing)
