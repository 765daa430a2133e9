"""A database without geomill for small schemas: nothing but the roles."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from codegen import generate
from tests.py.support.server import Server


@pytest.fixture(scope="module")
def scratch(server: Server) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database of the module's own; each test makes schema app anew."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    try:
        with server.create(name, "template1").connect(options="-c timezone=UTC") as connection, pytest.MonkeyPatch.context() as patch:
            patch.setenv("GEOMILL_ENVIRONMENT", "test")
            connection.execute((generate.DB / "roles.sql").read_bytes())
            yield connection
    finally:
        server.drop(name)
