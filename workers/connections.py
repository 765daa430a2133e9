"""The connections of a worker process, each for one purpose and opened when it is first needed.

turn and heartbeat: autocommit, one statement a transaction. effects: one transaction a task, kept between tasks. listen:
direct, never through a transaction pooler, where LISTEN means nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from codegen.connection import behind_pooler, connect, connect_to

LISTEN_DSN = "GEOMILL_LISTEN_DSN"

# A peer that vanished without a word is noticed in seconds, not in the two hours of the kernel's default.
_ALIVE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
}


def open_connection(purpose: str, *, autocommit: bool = True) -> psycopg.Connection[Any]:
    """A new connection as geomill_worker, named for its purpose in pg_stat_activity."""
    return connect("worker", autocommit=autocommit, application_name=f"geomill {purpose} {os.getpid()}", **_ALIVE)


def open_listener(channel: str) -> psycopg.Connection[Any] | None:
    """A direct connection that listens; None where only a pooler is known, so that polling has to do."""
    dsn = os.environ.get(LISTEN_DSN)
    if dsn:
        connection = connect_to(dsn, application_name=f"geomill listen {os.getpid()}", **_ALIVE)
    elif behind_pooler():
        return None
    else:
        connection = open_connection("listen")
    try:
        connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def short_connection() -> Iterator[psycopg.Connection[Any]]:
    """A connection for a few statements, closed at the end."""
    connection = open_connection("read")
    try:
        yield connection
    finally:
        connection.close()


class EffectsConnection:
    """The connection of the effects: opened by the first task that has any, kept for the next, dropped when it breaks."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._busy = False

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection, outside a transaction; whatever is open when the caller leaves is rolled back."""
        if self._busy:
            raise RuntimeError("a task has one effects transaction at a time")
        if self._connection is None or self._connection.closed:
            self._connection = open_connection("effects", autocommit=False)
        self._busy = True
        try:
            yield self._connection
        finally:
            self._busy = False
            self._reset(self._connection)

    def close(self) -> None:
        """Close it, if it is open."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _reset(self, connection: psycopg.Connection[Any]) -> None:
        try:
            if connection.info.transaction_status != TransactionStatus.IDLE:
                connection.rollback()
        except psycopg.Error:
            self.close()
        if connection.closed:
            self._connection = None
