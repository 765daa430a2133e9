"""A client is told of its own requests, on its own channel, and of nobody else's."""

from __future__ import annotations

import uuid

from psycopg import sql

from tests.conftest import CLIENT
from tests.py.support.server import Database

from .together import value


def test_a_client_hears_of_its_requests_and_of_no_others(engine_database: Database) -> None:
    other = f"geomill_test_hub_{uuid.uuid4().hex[:8]}"
    login = sql.Identifier(other)
    submit = "SELECT request_id FROM platform.submit_request('d', 'r', '1', %s)"
    with engine_database.connect() as admin, engine_database.connect() as second, engine_database.connect("ddh") as first:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE geomill_client").format(login))
        try:
            admin.execute("SELECT platform.create_client(%s, %s, 'second', 'Another hub')", (other, other))
            for client in (CLIENT, other):
                admin.execute("SELECT platform.allow_source_root(%s, %s)", (client, f"/data/{client}/"))
            second.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(login))
            mine = value(first, submit, f"/data/{CLIENT}/a.gpkg")
            for connection in (first, second):
                channel = value(connection, "SELECT platform.notification_channel()")
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                connection.execute("LISTEN geomill_requests")
            admin.execute("SELECT tests.completed(%s)", (mine,))
            assert [notify.payload for notify in first.notifies(timeout=120, stop_after=1)] == [mine]
            # What was sent in that commit would have come with this answer.
            theirs = value(second, submit, f"/data/{other}/a.gpkg")
            assert list(second.notifies(timeout=0.1)) == []
            admin.execute("SELECT tests.completed(%s)", (theirs,))
            assert [notify.payload for notify in second.notifies(timeout=120, stop_after=1)] == [theirs]
        finally:
            second.execute("RESET SESSION AUTHORIZATION")
            admin.execute(sql.SQL("DROP ROLE {}").format(login))
