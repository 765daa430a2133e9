"""Worker processes under test: started as an operator starts them, ended in every way that they can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.py.support.server import CHECKOUT


@dataclass(frozen=True)
class Workers:
    """`python -m workers`, a supervisor and its children, in a process group of their own."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> Workers:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers", *arguments],
                cwd=CHECKOUT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process, log)

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def children(self) -> list[int]:
        """Process ids of the workers that the supervisor keeps."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def terminate(self) -> None:
        """SIGTERM: drain."""
        self.process.terminate()

    def kill(self) -> None:
        """SIGKILL to all of them at once, as a machine that goes down."""
        if self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait(self, timeout: float = 300.0) -> int:
        """The exit code. A process that does not end in time is killed and fails the test with its last words."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"workers did not end within {timeout:g} s:\n{self.output[-4000:]}") from None

    def end(self, timeout: float = 60.0) -> None:
        """Drained if it can be, killed if not."""
        if self.running:
            self.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
