"""Keeps N worker processes running, and ends them together.

It has no thread and no connection, and has imported every handler before it forks: so a fork is clean, cheap and quick,
and what does not import is known before anything is claimed. A child that dies is forked again, after a delay that grows
while it keeps dying. SIGTERM or SIGINT drains all; a second one ends all at once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from workers.backoff import Backoff
from workers.logs import process_log
from workers.waiting import Wake

LIVED_WELL = 60.0
"""A child that lived this long did not die of its start."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass
class _Place:
    """One of the N: who stands in it, or when the next one will."""

    pid: int | None = None
    since: float = 0.0
    fork_at: float = 0.0
    finished: bool = False
    backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0))


class Supervisor:
    """`child` runs in each process, with every signal as it was, and returns the process's exit code."""

    def __init__(self, child: Callable[[], int], processes: int, *, restart_when_done: bool = True) -> None:
        self._child = child
        self._places = [_Place() for _ in range(processes)]
        self._restart_when_done = restart_when_done
        self._wake = Wake()
        self._stops = 0
        self._last_stop = signal.SIGTERM
        self._told = False
        self._code = 0

    def run(self) -> int:
        """Until every child has ended for good. 0, or 1 if one could not end as it should have."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        while not all(place.finished for place in self._places):
            if self._stops > 1:
                return self._kill()
            if self._stops and not self._told:
                self._tell_all()
            self._fork_what_is_due()
            self._wake.wait(self._next_due())
            self._reap()
        return self._code

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stops += 1
            self._last_stop = signal.Signals(number)
        self._wake.set()

    def _fork_what_is_due(self) -> None:
        for place in self._places:
            if place.pid is None and not place.finished and time.monotonic() >= place.fork_at:
                place.pid, place.since = self._fork(), time.monotonic()

    def _fork(self) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between fork and the child's own handlers would be handled as the supervisor's.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return pid
        code = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Ctrl-C reaches the whole group; the supervisor passes it on as SIGTERM, once.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._wake.close()
            code = self._child()
        except BaseException as error:  # noqa: BLE001 - nothing may return into the supervisor's code
            process_log().error("worker process failed", exc_info=error)
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for place in self._places:
            if place.pid is None:
                continue
            pid, status = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                self._ended(place, os.waitstatus_to_exitcode(status))

    def _ended(self, place: _Place, code: int) -> None:
        pid, place.pid = place.pid, None
        if self._stops or (code == 0 and not self._restart_when_done):
            place.finished = True
            if code != 0:
                self._code = 1
                process_log().error("worker process ended badly", process=pid, how=_how(code))
            return
        if code == 0:
            # Drained by a signal of its own: someone wants a fresh one.
            process_log().info("worker process ended, starting another", process=pid)
            return
        if time.monotonic() - place.since > LIVED_WELL:
            place.backoff.reset()
        delay = place.backoff.delay()
        place.fork_at = time.monotonic() + delay
        process_log().error("worker process died, starting another", process=pid, how=_how(code), starts_in=round(delay, 1))

    def _tell_all(self) -> None:
        self._told = True
        process_log().info("draining", signal=self._last_stop.name)
        for place in self._places:
            if place.pid is None:
                place.finished = True
            else:
                os.kill(place.pid, signal.SIGTERM)

    def _kill(self) -> int:
        process_log().warning("ending at once", signal=self._last_stop.name)
        for place in self._places:
            if place.pid is not None:
                os.kill(place.pid, signal.SIGKILL)
                os.waitpid(place.pid, 0)
        return 128 + self._last_stop

    def _next_due(self) -> float:
        due = [place.fork_at for place in self._places if place.pid is None and not place.finished]
        return min(due, default=time.monotonic() + 60.0) - time.monotonic()


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
