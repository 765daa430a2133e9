"""How a worker waits: on notifications and signals at once, with polling behind both.

A notification can be lost (a connection breaks, a pooler swallows it) and a retry becomes due without one. So waiting
is never longer than the poll interval, which grows while there is nothing to do.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from typing import Any

import psycopg

from workers.backoff import Backoff
from workers.connections import open_listener
from workers.errors import in_short
from workers.logs import process_log

CHANNEL = "geomill_tasks"
POLL_FIRST, POLL_MOST = 1.0, 5.0
POLL_ENDING = 0.25
"""With --until-idle someone waits for the end, of which there is no notification."""
_POLL_GROWTH = 1.5


class Wake:
    """Ends a wait from a signal handler or another thread: one byte in a pipe, no lock that a handler could meet."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """End the present wait, or the next one."""
        with suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._write, b"!")

    def wait(self, seconds: float, *others: int) -> bool:
        """Wait for set, or for one of the other file descriptors to be readable; True if one of those was."""
        ready, _, _ = select.select([self._read, *others], [], [], max(0.0, seconds))
        if self._read in ready:
            with suppress(BlockingIOError):
                while os.read(self._read, 4096):
                    pass
        return any(other in ready for other in others)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read)
        os.close(self._write)


class Idle:
    """Waits for work: woken by a notification, else after an interval that grows from one second to five."""

    def __init__(self, wake: Wake, most: float = POLL_MOST) -> None:
        self._wake = wake
        self._most = most
        self._interval = min(POLL_FIRST, most)
        self._connection: psycopg.Connection[Any] | None = None
        self._possible = True
        self._backoff = Backoff(1.0, 60.0)
        self._retry_at = 0.0

    def listen(self) -> None:
        """Open the listening connection if it is not open. Failing is no error: polling is behind it."""
        if self._connection is not None or not self._possible or time.monotonic() < self._retry_at:
            return
        try:
            self._connection = open_listener(CHANNEL)
            self._possible = self._connection is not None
            self._backoff.reset()
        except psycopg.Error as error:
            delay = self._backoff.delay()
            self._retry_at = time.monotonic() + delay
            process_log().warning("cannot listen, polling", error=in_short(error), retry_in=round(delay, 1))

    def busy(self) -> None:
        """There was work: the next wait is a short one."""
        self._interval = min(POLL_FIRST, self._most)

    def wait(self) -> None:
        """Wait for a notification, a signal, or the interval."""
        silent = self._connection is None
        self.listen()
        if self._connection is None:
            self._wake.wait(self._interval)
        elif silent:
            # What was notified before the connection listened is not told again: look once more first.
            return
        elif self._wake.wait(self._interval, self._connection.fileno()):
            self._drain(self._connection)
            return
        self._interval = min(self._interval * _POLL_GROWTH, self._most)

    def close(self) -> None:
        """Close the listening connection."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _drain(self, connection: psycopg.Connection[Any]) -> None:
        """Take the notifications that have come, or notice that the connection has broken."""
        try:
            for _ in connection.notifies(timeout=0):
                self.busy()
        except psycopg.Error as error:
            process_log().warning("listening connection lost", error=in_short(error))
            self.close()
