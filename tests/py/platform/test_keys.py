"""API keys over real transactions: an identity ends with its transaction, and nobody waits for a caller that is slow."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from tests.conftest import CLIENT
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

from .together import Outcome, together, value

WHO = "SELECT count(*) FROM platform.list_requests()"


@dataclass(frozen=True)
class Gateway:
    """A login in geomill_gateway, and a key of the client's."""

    database: Database
    login: str
    key_id: int
    key: str

    def connect(self) -> psycopg.Connection[Any]:
        connection = self.database.connect(autocommit=False)
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(self.login)))
        connection.commit()
        return connection

    def show_key(self, connection: psycopg.Connection[Any]) -> Any:
        return value(connection, "SELECT platform.authenticate(%s)", self.key)


@pytest.fixture(scope="module")
def gateway(module_database: Database) -> Iterator[Gateway]:
    login = f"geomill_test_gate_{uuid.uuid4().hex[:8]}"
    with module_database.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE geomill_gateway").format(sql.Identifier(login)))
        try:
            made = admin.execute("SELECT key_id, api_key FROM platform.create_api_key(%s, 'internal')", [CLIENT]).fetchone()
            assert made is not None
            yield Gateway(module_database, login, *made)
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def refused(connection: psycopg.Connection[Any]) -> bool:
    """Whether the connection is nobody; its transaction has ended then."""
    try:
        connection.execute(WHO)
    except psycopg.Error as error:
        connection.rollback()
        return error.sqlstate == "GM401"
    return False


def test_an_identity_ends_with_its_transaction(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        assert gateway.show_key(connection) == CLIENT
        assert not refused(connection)
        connection.commit()
        assert refused(connection)
        gateway.show_key(connection)
        connection.rollback()
        assert refused(connection)
        with connection.transaction():
            with connection.transaction(force_rollback=True):
                gateway.show_key(connection)
                assert not refused(connection)
            with pytest.raises(psycopg.Error, match="no active client"), connection.transaction():
                connection.execute(WHO)


def test_two_transactions_of_one_login_are_two_callers(gateway: Gateway) -> None:
    with gateway.connect() as known, gateway.connect() as unknown:
        gateway.show_key(known)
        assert refused(unknown)
        assert not refused(known)


def test_identities_cannot_be_written_by_hand(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        for statement in ("SELECT FROM platform.tx_identity", "SELECT FROM platform.api_keys", "SELECT FROM platform.key_events"):
            with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute("INSERT INTO platform.tx_identity SELECT pg_current_xact_id()::text::bigint, transaction_timestamp(), 1")


def test_an_open_call_keeps_neither_callers_nor_a_revocation_waiting(gateway: Gateway) -> None:
    with gateway.connect() as slow, gateway.database.connect("admin") as admin:
        made = admin.execute("SELECT key_id, api_key FROM platform.create_api_key(%s, 'internal')", [CLIENT]).fetchone()
        assert made is not None
        key_id, key = made
        assert value(slow, "SELECT platform.authenticate(%s)", key) == CLIENT

        # The slow one's transaction is open all the time: who waited for it would do so until the timeout.
        def show(connection: psycopg.Connection[Any]) -> Any:
            connection.execute("SET LOCAL lock_timeout = '20s'")
            return value(connection, "SELECT platform.authenticate(%s)", key)

        outcomes: list[Outcome] = together(gateway.connect, [show] * 8)
        assert [(outcome.value, outcome.error) for outcome in outcomes] == [(CLIENT, None)] * 8
        admin.execute("SET lock_timeout = '20s'")
        assert value(admin, "SELECT platform.revoke_api_key(%s)", key_id) is True
        assert refused(slow)


def test_the_janitor_forgets_identities_that_have_ended(gateway: Gateway) -> None:
    with gateway.connect() as over, gateway.database.connect() as superuser:
        gateway.show_key(over)
        over.commit()
        with gateway.connect() as still_open:
            gateway.show_key(still_open)
            superuser.execute("SELECT app.run_janitor()")
            assert not refused(still_open)

        # Not while an older transaction is open anywhere on the server: an autovacuum's, say.
        def are_forgotten() -> bool:
            superuser.execute("SELECT app.run_janitor()")
            left = "SELECT FROM platform.tx_identity WHERE transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            return superuser.execute(left).fetchall() == []

        wait_for(are_forgotten)
