"""Unpublishing raced by clients, by workers that fail, and by new revisions: one removal, no deadlock, nobody stranded."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

from .together import Call, together, value

CLIENT = "ddh_v1"
ROOT = "/data/races/"


@pytest.fixture
def admin(engine_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection, and a root for the client's sources."""
    with engine_database.connect() as connection:
        connection.execute("SELECT platform.allow_source_root(%s, %s)", (CLIENT, ROOT))
        yield connection


@pytest.fixture
def client(engine_database: Database) -> Any:
    return lambda: engine_database.connect("ddh")


def submit(connection: psycopg.Connection[Any], dataset: str) -> Any:
    query = "SELECT request_id, revision FROM platform.submit_request(%s, 'roads', '1', %s)"
    return connection.execute(query, (dataset, f"{ROOT}roads.gpkg")).fetchone()


def unpublish(connection: psycopg.Connection[Any], request: str) -> Any:
    return value(connection, "SELECT platform.unpublish_request(%s, false)", request)


def completed(admin: psycopg.Connection[Any], client: Any, datasets: list[str]) -> list[str]:
    requests = []
    with client() as connection:
        # One after the other: the helper completes whatever can be claimed.
        for dataset in datasets:
            requests.append(str(submit(connection, dataset)[0]))
            assert value(admin, "SELECT tests.completed(%s)", requests[-1]) == "completed"
    return requests


def asked(connection: psycopg.Connection[Any], request: str) -> str:
    """Unpublish, and say what the request is; running where that is why it was refused."""
    try:
        return str(unpublish(connection, request)["status"])
    except psycopg.Error as error:
        if error.sqlstate != "GM409":
            raise
        return "running"


def settled(connection: psycopg.Connection[Any], requests: list[str], over: threading.Event) -> set[str]:
    """Unpublish all until they are; their statuses at the end."""
    try:
        while not over.is_set():
            statuses = {str(value(connection, "SELECT platform.get_request_status(%s) ->> 'status'", request)) for request in requests}
            if statuses == {"unpublished"}:
                return statuses
            for request in requests:
                asked(connection, request)
        return set()
    finally:
        over.set()


def test_16_calls_are_one_removal(admin: psycopg.Connection[Any], client: Any) -> None:
    [request] = completed(admin, client, ["a"])
    outcomes = together(client, [lambda connection: unpublish(connection, request)] * 16)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert len({outcome.value["job"]["job_id"] for outcome in outcomes}) == 1
    assert value(admin, "SELECT count(*) FROM app.jobs WHERE job_type = 'unpublish_vector'") == 1


def test_removals_fail_and_revisions_begin_meanwhile(admin: psycopg.Connection[Any], client: Any, engine_database: Database) -> None:
    requests = completed(admin, client, [f"d{n}" for n in range(12)])
    over = threading.Event()

    def work(name: str) -> Call:
        """Completes what it claims; every third removal fails for good."""

        def drain(_: psycopg.Connection[Any]) -> None:
            removals = 0
            with engine_database.connect() as connection:
                while not over.is_set():
                    task = connection.execute(
                        "SELECT task_id, attempt, task_type FROM app.claim_tasks(%s, NULL, 1)", (name,)
                    ).fetchone()  # fmt: skip
                    if task is None:
                        over.wait(0.01)
                        continue
                    removals += task[2].startswith("unpublish")
                    if task[2].startswith("unpublish") and removals % 3 == 0:
                        connection.execute("SELECT app.fail_task(%s, %s, tests.error())", task[:2])
                    else:
                        result = Jsonb({"chunks": [{}, {}], "vector": {}})
                        connection.execute("SELECT app.complete_task_and_check_stage(%s, %s, %s)", (*task[:2], result))

        return drain

    def take_back(connection: psycopg.Connection[Any]) -> Counter[str]:
        return Counter(asked(connection, request) for _ in range(15) for request in requests)

    def submit_again(connection: psycopg.Connection[Any]) -> int:
        """Rounds of submissions, until a removal has come to its end and one of them began again; the newest revision."""
        newest = rounds = 0
        while rounds < 5 or newest < 2:
            newest = max(newest, *(int(submit(connection, f"d{n}")[1]) for n in range(12)))
            rounds += 1
            assert rounds < 10_000, "nothing is taken back"
        return newest

    clients = 3
    last = threading.Barrier(clients, action=over.set)

    def until_all_are_done(call: Call) -> Call:
        """The workers go on until the last client is done."""

        def run(connection: psycopg.Connection[Any]) -> Any:
            try:
                return call(connection)
            finally:
                last.wait(timeout=300)

        return run

    calls = [until_all_are_done(take_back), until_all_are_done(take_back), until_all_are_done(submit_again)]
    outcomes = together(client, [work("w1"), work("w2"), *calls])
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    # What is left to do is done, and each request comes to the end that was asked for last.
    over.clear()
    settle = threading.Timer(300, over.set)
    settle.start()
    with client() as connection:
        ended = together(engine_database.connect, [work("w3"), lambda _: settled(connection, requests, over)])
    settle.cancel()
    assert [outcome.error for outcome in ended if outcome.error] == []
    assert ended[1].value == {"unpublished"}
    assert value(admin, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing') AND platform_request_id IS NOT NULL") == 0
    assert value(admin, "SELECT count(*) FROM platform.requests WHERE endpoints IS NOT NULL") == 0
