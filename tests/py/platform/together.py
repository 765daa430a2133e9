"""Calls made at the same moment by connections of their own: what one transaction cannot show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

Call = Callable[[psycopg.Connection[Any]], Any]


@dataclass(frozen=True)
class Outcome:
    """What a call came to: its value, or the error that it raised."""

    value: Any = None
    error: psycopg.Error | None = None

    @property
    def sqlstate(self) -> str | None:
        return self.error.sqlstate if self.error else None


def together(connect: Callable[[], psycopg.Connection[Any]], calls: Sequence[Call]) -> list[Outcome]:
    """Run the calls, each on a connection of its own, from one barrier on; their outcomes, in order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Call) -> Outcome:
        with connect() as connection:
            barrier.wait(timeout=300)
            try:
                return Outcome(value=call(connection))
            except psycopg.Error as error:
                return Outcome(error=error)

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def value(connection: psycopg.Connection[Any], query: LiteralString | sql.Composed, *arguments: Any) -> Any:
    """The one value that a query returns."""
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0]
