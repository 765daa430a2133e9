"""Submissions, retries and cancellations raced by many connections: one winner, and nobody stranded."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

from .together import Call, together, value

CLIENT = "ddh_v1"
ROOT = "/data/races/"
SUBMIT = "SELECT request_id, status, created, revision FROM platform.submit_request(%s, 'roads', '1', %s, processing_config => %s)"


def submit(dataset: str, config: dict[str, Any] | None = None, file: str = "roads.gpkg") -> Any:
    return lambda connection: connection.execute(SUBMIT, (dataset, ROOT + file, Jsonb(config or {}))).fetchone()


def acting_as(login: str, call: Call) -> Call:
    """The call, on a superuser's connection that has become the login's."""

    def act(connection: psycopg.Connection[Any]) -> Any:
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(login)))
        return call(connection)

    return act


@pytest.fixture
def admin(engine_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection, and a root for the client's sources."""
    with engine_database.connect() as connection:
        connection.execute("SELECT platform.allow_source_root(%s, %s)", (CLIENT, ROOT))
        yield connection


@pytest.fixture
def client(engine_database: Database) -> Any:
    return lambda: engine_database.connect("ddh")


def test_32_identical_submissions_are_one_request(admin: psycopg.Connection[Any], client: Any) -> None:
    outcomes = together(client, [submit("a", {"title": "Roads"})] * 32)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert Counter(outcome.value[2] for outcome in outcomes) == {True: 1, False: 31}
    assert len({outcome.value[0] for outcome in outcomes}) == 1
    assert value(admin, "SELECT count(*) FROM app.jobs") == 1
    assert value(admin, "SELECT count(*) FROM app.tasks") == 1


def test_32_different_submissions_have_one_winner(admin: psycopg.Connection[Any], client: Any) -> None:
    outcomes = together(client, [submit("a", {"title": f"Roads {n}"}) for n in range(32)])
    assert Counter(outcome.sqlstate for outcome in outcomes) == {None: 1, "GM409": 31}
    winner = next(outcome.value for outcome in outcomes if outcome.error is None)
    assert winner[2:] == (True, 1)
    details = [json.loads(outcome.error.diag.message_detail or "{}") for outcome in outcomes if outcome.error]
    assert {(detail["code"], detail["value"]) for detail in details} == {("REQUEST_EXISTS", winner[0])}
    assert value(admin, "SELECT count(*) FROM app.jobs") == 1


def test_an_overwrite_is_made_once(admin: psycopg.Connection[Any], client: Any) -> None:
    with client() as connection:
        request_id = submit("a")(connection)[0]
    admin.execute("SELECT tests.completed(%s)", (request_id,))
    outcomes = together(client, [submit("a", {"overwrite": True}, "new.gpkg")] * 16)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert Counter(outcome.value[2] for outcome in outcomes) == {True: 1, False: 15}
    assert {outcome.value[3] for outcome in outcomes} == {2}
    assert value(admin, "SELECT count(*) FROM app.jobs WHERE platform_request_id = %s AND revision = 2", request_id) == 1


def test_a_retry_is_made_once(admin: psycopg.Connection[Any], client: Any) -> None:
    with client() as connection:
        request_id = submit("a")(connection)[0]
        connection.execute("SELECT platform.cancel_request(%s)", (request_id,))
    outcomes = together(client, [lambda connection: value(connection, "SELECT platform.retry_request(%s)", request_id)] * 16)
    assert Counter(outcome.sqlstate for outcome in outcomes) == {None: 1, "GM409": 15}
    assert value(admin, "SELECT revision FROM platform.requests") == 2


def test_of_32_submissions_as_many_pass_as_may_be_open(admin: psycopg.Connection[Any], client: Any) -> None:
    admin.execute("SELECT platform.configure_client(%s, %s)", (CLIENT, Jsonb({"concurrent_requests": 5})))
    outcomes = together(client, [submit(f"d{n}") for n in range(32)])
    assert Counter(outcome.sqlstate for outcome in outcomes) == {None: 5, "GM429": 27}
    assert value(admin, "SELECT count(*) FROM platform.requests") == 5


def test_two_clients_never_share_a_table(engine_database: Database, admin: psycopg.Connection[Any]) -> None:
    other = f"racer_{engine_database.name[-8:]}"
    role = sql.Identifier(other)
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE geomill_client").format(role))
    try:
        admin.execute("SELECT platform.create_client(%s, %s, 'racer', 'Another hub')", (other, other))
        admin.execute("SELECT platform.allow_source_root(%s, %s)", (other, ROOT))
        for n in range(10):
            outcomes = together(engine_database.connect, [acting_as(login, submit(f"d{n}")) for login in (CLIENT, other)] * 2)
            assert [outcome.error for outcome in outcomes if outcome.error] == []
        assert value(admin, "SELECT count(*) FROM platform.geo_tables") == 20
        assert value(admin, "SELECT count(DISTINCT table_name) FROM platform.requests") == 20
        assert (
            value(admin, "SELECT count(*) FROM platform.requests JOIN platform.geo_tables USING (request_id, client_id, table_name)") == 20
        )
    finally:
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_batches_in_opposite_orders_do_not_deadlock(admin: psycopg.Connection[Any], client: Any) -> None:
    elements = [{"dataset_id": f"d{n}", "resource_id": "r", "version_id": "1", "source_path": f"{ROOT}{n}.gpkg"} for n in range(20)]

    def batch(order: list[dict[str, str]]) -> Any:
        submitted = "SELECT count(*) FILTER (WHERE created) FROM platform.submit_requests(%s)"
        return lambda connection: value(connection, submitted, Jsonb(order))

    outcomes = together(client, [batch(elements), batch(elements[::-1])] * 4)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert sum(outcome.value for outcome in outcomes) == 20
    assert value(admin, "SELECT count(*) FROM app.jobs") == 20


def test_cancelling_while_workers_complete_strands_nothing(engine_database: Database, admin: psycopg.Connection[Any], client: Any) -> None:
    with client() as connection:
        requests = [submit(f"d{n}")(connection)[0] for n in range(40)]
    cancelled = threading.Event()

    def work(name: str) -> Any:
        def drain(connection: psycopg.Connection[Any]) -> None:
            idle = 0
            while idle < 20:
                task = connection.execute("SELECT task_id, attempt FROM app.claim_tasks(%s, NULL, 1)", (name,)).fetchone()
                if task is None:
                    idle += 1 if cancelled.wait(0.01) else 0
                    continue
                idle = 0
                result = Jsonb({"chunks": [{}, {}], "vector": {}})
                connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, %s)", (*task, result))

        return drain

    def cancel_one(connection: psycopg.Connection[Any], request_id: str) -> str:
        try:
            return str(value(connection, "SELECT platform.cancel_request(%s) ->> 'status'", request_id))
        except psycopg.Error as error:
            if error.sqlstate != "GM409":
                raise
            return "completed"

    def cancel(connection: psycopg.Connection[Any]) -> list[str]:
        try:
            return [cancel_one(connection, request_id) for request_id in requests]
        finally:
            cancelled.set()

    def poll(connection: psycopg.Connection[Any]) -> dict[str, list[int]]:
        seen: dict[str, list[int]] = {}
        while not cancelled.is_set():
            for request_id in requests[::4]:
                status = value(connection, "SELECT platform.get_request_status(%s)", request_id)
                seen.setdefault(request_id, []).append(status["progress_percent"])
        return seen

    outcomes = together(engine_database.connect, [work("w1"), work("w2"), acting_as(CLIENT, cancel), acting_as(CLIENT, poll)])
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert value(admin, "SELECT array_agg(status::text ORDER BY created_at) FROM platform.requests") == outcomes[2].value
    assert value(admin, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')") == 0
    assert value(admin, "SELECT count(*) FROM app.jobs WHERE job_type = 'discard_artefacts'") == outcomes[2].value.count("cancelled")
    assert all(percents == sorted(percents) for percents in outcomes[3].value.values())


def test_of_16_successors_of_one_version_one_comes(admin: psycopg.Connection[Any], client: Any) -> None:
    def successor(version: str, **config: str) -> Call:
        submitted = "SELECT request_id FROM platform.submit_request('a', 'roads', %s, %s, processing_config => %s)"
        return lambda connection: value(connection, submitted, version, ROOT + "roads.gpkg", Jsonb(config))

    with client() as connection:
        successor("v1")(connection)
    outcomes = together(client, [successor(f"v2.{n}", previous_version_id="v1") for n in range(16)])
    assert Counter(outcome.sqlstate for outcome in outcomes) == {None: 1, "GM409": 15}
    assert value(admin, "SELECT count(*) FROM platform.requests") == 2
