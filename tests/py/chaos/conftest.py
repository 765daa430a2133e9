"""A database for chaos: the engine's test database, with what setup.sql adds. length.py says how long, and from which seed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import CLIENT
from tests.py.support.server import Database, Server

from .points import instrument

SETUP = Path(__file__).with_name("setup.sql")


@pytest.fixture(scope="session")
def chaos_template(server: Server) -> Iterator[str]:
    """The engine's template with setup.sql, to be copied."""
    name = f"chaos_{uuid.uuid4().hex[:16]}"
    database = server.create(name, server.engine_template)
    try:
        with database.connect() as connection:
            connection.execute(SETUP.read_bytes())
        yield name
    finally:
        server.drop(name)


@pytest.fixture
def chaos_database(server: Server, chaos_template: str) -> Iterator[Database]:
    """A database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    try:
        yield server.create(name, chaos_template)
    finally:
        server.drop(name)


@pytest.fixture
def admin(chaos_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to it."""
    with chaos_database.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def instrumented(server: Server, chaos_template: str) -> Iterator[Database]:
    """A database with points in its functions, shared by a module's tests: each begins with scenes.forget."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    try:
        database = server.create(name, chaos_template)
        with database.connect() as connection:
            points = instrument(connection)
            assert {"app.settle(bigint[])", "app.turn(text,jsonb,text[],integer)", "platform.job_ended(text)"} <= set(points)
            connection.execute("SELECT platform.allow_source_root(%s, '/data/chaos/')", (CLIENT,))
        yield database
    finally:
        server.drop(name)
