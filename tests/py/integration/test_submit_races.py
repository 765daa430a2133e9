"""Submits raced by 32 connections: one open job a unique key, whatever else they ask for."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.py.platform.together import together, value
from tests.py.support.server import Database

SUBMIT = "SELECT app.submit_job_with_options('hello_world', %s, %s)"


def _submit(n: int, **options: str) -> Any:
    return lambda connection: value(connection, SUBMIT, Jsonb({"n": n}), Jsonb({"unique_key": "one", **options}))


def test_32_submits_with_one_key_are_one_job(database: Database) -> None:
    outcomes = together(database.connect, [_submit(n + 1) for n in range(32)])
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert len({outcome.value for outcome in outcomes}) == 1
    with database.connect() as admin:
        assert value(admin, "SELECT count(*) FROM app.jobs") == 1
        assert value(admin, "SELECT count(*) FROM app.stages") == 1
        assert value(admin, "SELECT count(*) = (SELECT (parameters ->> 'n')::bigint FROM app.jobs) FROM app.tasks")


def test_31_of_32_are_refused_where_they_ask_for_it(database: Database) -> None:
    outcomes = together(database.connect, [_submit(n + 1, on_conflict="refuse") for n in range(32)])
    assert Counter(outcome.sqlstate for outcome in outcomes) == {None: 1, "GM409": 31}
    with database.connect() as admin:
        assert value(admin, "SELECT count(*) FROM app.jobs") == 1


def test_never_two_open_while_their_jobs_end(database: Database) -> None:
    """Each submitter cancels whatever job its submit returned, a hundred times over; others count the open ones meanwhile."""
    ended = threading.Event()

    def submit_and_cancel(number: int) -> Any:
        def run(connection: psycopg.Connection[Any]) -> set[str]:
            seen = set()
            for n in range(100):
                job_id = _submit(n + 1, identity=f"{number}-{n}")(connection)
                seen.add(job_id)
                value(connection, "SELECT app.cancel_job(%s)", job_id)
            return seen

        return run

    def count(connection: psycopg.Connection[Any]) -> int:
        most = 0
        while not ended.is_set():
            most = max(most, value(connection, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')"))
        return most

    def last(connection: psycopg.Connection[Any]) -> Any:
        try:
            return submit_and_cancel(7)(connection)
        finally:
            ended.set()

    outcomes = together(database.connect, [*(submit_and_cancel(number) for number in range(7)), last, count, count])
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    # A job that was cancelled is never returned again: each of a submitter's hundred is another one.
    assert {len(outcome.value) for outcome in outcomes[:8]} == {100}
    assert {outcome.value for outcome in outcomes[8:]} <= {0, 1}
    with database.connect() as admin:
        assert value(admin, "SELECT count(*) FROM app.jobs WHERE status <> 'cancelled'") == 0
