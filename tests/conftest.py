"""Fixtures: a server for the run, a database for a test, workers on it, and places for sources and artefacts."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.py.support.processes import Workers
from tests.py.support.server import Database, Server, outside_environment
from tests.py.support.throwaway import throwaway_server

CLIENT = "ddh_v1"
"""The client that `python -m codegen logins` makes; its login is the role ddh of the fixtures."""


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis: in `make test` the same examples at each run, in `make test-all` others each time; and slowness is no failure."""
    quick = config.getoption("markexpr") == "not slow"
    settings.register_profile("geomill", deadline=None, derandomize=quick, database=None, suppress_health_check=list(HealthCheck))
    settings.load_profile("geomill")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server that ops/test.sh prepared, else one of this run's own. Nothing of the caller's environment names another.

    Of pytest-xdist's processes the first takes the prepared one; each of the others makes a cluster of its own, because
    roles, their passwords and the horizon of the oldest transaction are a cluster's. A server that the caller named is shared.
    """
    prepared = "GEOMILL_TEST_TEMPLATE" in os.environ
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(outside_environment()):
            patch.delenv(name)
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0" and "GEOMILL_TEST_SERVER_IS_OURS" in os.environ:
            patch.delenv("GEOMILL_TEST_DSN")
            prepared = False
        if prepared:
            yield Server.from_environment()
            return
        with throwaway_server() as own:
            patch.setenv("GEOMILL_HOME", str(own.home))
            yield own


def _copy(server: Server, template: str | None = None) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    try:
        yield server.create(name, template)
    finally:
        server.drop(name)


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A deployed database of the test's own."""
    yield from _copy(server)


@pytest.fixture(scope="module")
def module_database(server: Server) -> Iterator[Database]:
    """A deployed database that the tests of a module share: for those that only read, or keep out of each other's way."""
    yield from _copy(server)


@pytest.fixture
def engine_database(server: Server) -> Iterator[Database]:
    """A database of the test's own with pgTAP and the given-helpers of tests/pgtap/setup: schema tests, a clock to move."""
    yield from _copy(server, server.engine_template)


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """Where workers put artefacts: their GEOMILL_STORAGE."""
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


@pytest.fixture
def source_root(database: Database, tmp_path: Path) -> Path:
    """A folder that the client may name sources in; tests.py.support.samples.place puts real files there."""
    folder = tmp_path / "sources"
    folder.mkdir()
    with database.connect() as connection:
        connection.execute("INSERT INTO platform.source_roots (client_id, root) VALUES (%s, %s)", (CLIENT, f"{folder}/"))
    return folder


class StartWorkers(Protocol):
    """`workers("--until-idle", database=…, environment={…})` starts `python -m workers` with these arguments."""

    def __call__(self, *arguments: str, database: Database | None = None, environment: Mapping[str, str] | None = None) -> Workers: ...


@pytest.fixture
def workers(request: pytest.FixtureRequest, storage: Path, tmp_path: Path) -> Iterator[StartWorkers]:
    """Starts workers, on `database` unless another is given. What still runs at the end is ended; a failed test shows their logs."""
    started: list[Workers] = []
    # Set up first, torn down last: workers are ended before their database goes.
    for name in ("database", "module_database", "engine_database"):
        if name in request.fixturenames:
            request.getfixturevalue(name)

    def start(*arguments: str, database: Database | None = None, environment: Mapping[str, str] | None = None) -> Workers:
        on: Database = database or request.getfixturevalue("database")
        variables = on.environment() | {"GEOMILL_STORAGE": str(storage)} | dict(environment or {})
        one = Workers.start(arguments, variables, tmp_path / f"workers-{len(started)}.log")
        started.append(one)
        return one

    yield start
    for one in started:
        one.end()
        print(f"--- {one.log.name}\n{one.output}")
