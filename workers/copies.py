"""Copies of sources from elsewhere, shared by the worker processes of a machine.

A source is read by several tasks: examined and converted, inspected and loaded in chunks. Its copy is known by what it is one of
(URL, version, the roots that allow it), is brought by whoever needs it first while others wait, and stays until nobody has used it
for a while. It is there by a rename. Its lock is shared by those who read it, and held alone by who brings or removes it; a lock
goes with its process, however that ends. What would be too much to keep is removed by its last reader.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workers.errors import TaskError

LIMIT = "GEOMILL_COPIES_BYTES"
MOST_BYTES = 4 * 1024**3
UNUSED_SECONDS = 1800.0
_WAIT_SECONDS = 0.1


@dataclass
class Copy:
    """The files of a copy, which nobody removes before it is closed."""

    folder: Path
    kept: bool
    """Whether it stays for others when it is closed."""
    lock: int

    def close(self) -> None:
        """Let it go, once. Its age counts from now."""
        lock, self.lock = self.lock, -1
        if lock < 0:
            return
        os.utime(lock)
        os.close(lock)
        if not self.kept:
            _remove(self.folder)


def share(identity: object, size: int, bring: Callable[[Path], None], check: Callable[[], None]) -> Copy:
    """The copy of what `identity` says, of so many bytes; brought to a folder by `bring` where it is not there yet.

    `check` is called while another process brings it.
    """
    folder = place() / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:40]
    kept = True
    while True:
        was_there = folder.exists()
        lock = _lock(folder, fcntl.LOCK_SH if was_there else fcntl.LOCK_EX)
        if lock is None:
            check()
            time.sleep(_WAIT_SECONDS)
            continue
        try:
            if was_there and folder.exists():
                shared, lock = Copy(folder, kept, lock), None
                return shared
            if not was_there and not folder.exists():
                kept = size + _bytes_kept() <= int(os.environ.get(LIMIT, MOST_BYTES))
                _bring(folder, bring)
        finally:
            if lock is not None:
                os.close(lock)


def sweep(unused_seconds: float = UNUSED_SECONDS) -> None:
    """Remove the copies that nobody has used for so long, and what a process left that died over one."""
    for lock in place().glob("*.lock"):
        with suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime >= unused_seconds:
                _remove(lock.with_suffix(""))


def place() -> Path:
    """The folder of the copies, which is nobody else's: other users of the machine may write beside it."""
    folder = Path(os.environ.get("GEOMILL_SCRATCH") or tempfile.gettempdir()) / f"geomill-copies-{os.geteuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise TaskError(
            "SCRATCH_NOT_OURS",
            f"{folder} is a link, another user's, or others may write to it",
            category="system",
            remediation="Remove it, or let GEOMILL_SCRATCH name a folder of the workers' own",
        )
    return folder


def _bring(folder: Path, bring: Callable[[Path], None]) -> None:
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        bring(part)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        folder.with_suffix(".lock").unlink(missing_ok=True)
        raise


def _remove(folder: Path) -> None:
    """Remove a copy that nobody uses: what is left of it at any moment is either whole or no copy."""
    lock = _lock(folder, fcntl.LOCK_EX)
    if lock is None:
        return
    try:
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        with suppress(FileNotFoundError):
            folder.rename(part)
        shutil.rmtree(part, ignore_errors=True)
        folder.with_suffix(".lock").unlink(missing_ok=True)
    finally:
        os.close(lock)


def _lock(folder: Path, how: int) -> int | None:
    """The lock of a copy; None where somebody else has it, or it went with its copy meanwhile."""
    path = folder.with_suffix(".lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(lock, how | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(lock).st_ino:
            return lock
    os.close(lock)
    return None


def _bytes_kept() -> int:
    """What all copies take, those on their way among them."""
    total = 0
    for folder in place().iterdir():
        with suppress(FileNotFoundError, NotADirectoryError):
            total += sum(file.stat().st_size for file in folder.iterdir())
    return total
