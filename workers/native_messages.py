"""What GDAL and Python warn of while a task runs: gathered here, so that its error says what the library said.

A process runs one task at a time, so there is one buffer. It is bounded: the first messages name the cause, the last
the end of it, and the thousand in between say the same again.
"""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

LOGGERS = ("rasterio", "pyogrio", "pyproj", "shapely", "fiona", "osgeo")
FIRST, LAST, LONGEST = 10, 10, 500


class Messages:
    """A bounded list of messages; repetitions in a row are counted, what is left out is said."""

    def __init__(self) -> None:
        self._first: list[list[str | int]] = []
        self._last: deque[list[str | int]] = deque(maxlen=LAST)
        self._left_out = 0

    def add(self, message: str) -> None:
        """Take one message, shortened."""
        text = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
        latest = self._last[-1] if self._last else self._first[-1] if self._first else None
        if latest is not None and latest[0] == text:
            latest[1] = int(latest[1]) + 1
        elif len(self._first) < FIRST:
            self._first.append([text, 1])
        else:
            self._left_out += len(self._last) == LAST
            self._last.append([text, 1])

    def listed(self) -> list[str]:
        """The messages in order."""
        between = [f"… {self._left_out} messages left out"] if self._left_out else []
        return [*map(_counted, self._first), *between, *map(_counted, self._last)]


class _Gather(logging.Handler):
    """The process's one handler of the libraries' loggers. Outside a task nobody reads what it is given."""

    messages: Messages | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.messages is not None:
            self.messages.add(record.getMessage())


_gather = _Gather(logging.INFO)


def install() -> None:
    """Listen to the libraries' loggers, once for the process."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(_gather)
        # rasterio reports GDAL's errors at INFO. They belong to the task's error, not to every log.
        logger.setLevel(logging.INFO)
        logger.propagate = False


@contextmanager
def gathered() -> Iterator[Messages]:
    """The messages of the block."""
    messages = Messages()

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
    ) -> None:
        del filename, lineno, file, line
        messages.add(f"{category.__name__}: {message}")

    _gather.messages = messages
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = show
            yield messages
    finally:
        _gather.messages = None


def _counted(entry: list[str | int]) -> str:
    return str(entry[0]) if entry[1] == 1 else f"{entry[0]} ({entry[1]} times)"
