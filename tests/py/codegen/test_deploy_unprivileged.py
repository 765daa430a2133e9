"""A deploy by somebody who is no superuser, on a server whose administrator has prepared what docs/dba.md asks for."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from codegen.generate import DB
from tests.py.support.server import CHECKOUT, Database, Server, on_database, outside_environment

PREPARED = ("geomill_owner", "pgstac_admin", "pgstac_read", "pgstac_ingest")


@dataclass(frozen=True)
class Deployer:
    """A login that may do what docs/dba.md says, in a database that holds nothing of geomill's yet."""

    database: Database
    login: str
    dsn: str

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "codegen", *arguments],
            cwd=CHECKOUT,
            env=outside_environment() | {"GEOMILL_DSN": self.dsn, "GEOMILL_HOME": os.devnull} | environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


@pytest.fixture
def empty(server: Server) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    try:
        yield server.create(name, template="template1")
    finally:
        server.drop(name)


@pytest.fixture
def deployer(empty: Database) -> Iterator[Deployer]:
    login, password = f"geomill_test_deployer_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    role = sql.Identifier(login)
    with empty.connect() as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(role, sql.Literal(password)))
        try:
            host = urlsplit(empty.dsn())
            dsn = f"postgresql://{login}:{password}@{host.hostname}:{host.port}/{empty.name}"
            yield Deployer(empty, login, dsn)
        finally:
            admin.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(role))
            admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def prepare(deployer: Deployer) -> None:
    """What docs/dba.md asks of an administrator."""
    with deployer.database.connect() as admin:
        for file in ("extensions.sql", "roles.sql"):
            admin.execute((DB / file).read_bytes())
        for group in PREPARED:
            admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(deployer.login)))
        database, role = sql.Identifier(deployer.database.name), sql.Identifier(deployer.login)
        # With it comes CREATE in public, where pgstac's migration makes a function of its own for a moment.
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, role))


def contents(database: Database) -> Mapping[str, int]:
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT nspname, 1 FROM pg_namespace WHERE nspname IN ('app', 'platform', 'geo', 'h3', 'pgstac')"
        ).fetchall()
    return dict(rows)


def test_it_deploys_verifies_and_has_nothing_more_to_do(deployer: Deployer, tmp_path: Path) -> None:
    prepare(deployer)
    home = {"GEOMILL_HOME": str(tmp_path), "GEOMILL_NO_CRON": "1"}
    first = deployer.run("deploy", **home)
    assert first.returncode == 0, first.stdout + first.stderr
    assert set(contents(deployer.database)) == {"app", "platform", "geo", "h3", "pgstac"}
    again = deployer.run("deploy", **home)
    assert "nothing to do" in again.stdout, again.stdout + again.stderr
    verified = deployer.run("verify", **home)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    with deployer.database.connect() as connection:
        owners = connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace::regnamespace::text IN ('app', 'platform')"
        ).fetchall()
        assert owners == [("geomill_owner",)]
        assert connection.execute("SELECT DISTINCT deployed_by FROM app.schema_deployments").fetchall() == [(deployer.login,)]


def test_pg_cron_that_cannot_be_seen_is_said_and_stops_nothing(deployer: Deployer, tmp_path: Path) -> None:
    with deployer.database.connect() as connection:
        loaded = connection.execute("SELECT FROM pg_settings WHERE name = 'cron.database_name'").fetchone()
    if loaded is None:
        pytest.skip("this server does not load pg_cron")
    prepare(deployer)
    done = deployer.run("deploy", GEOMILL_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a worker will run the janitor" in done.stdout
    verified = deployer.run("verify", GEOMILL_HOME=str(tmp_path))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "pg_cron" in verified.stdout


def test_unprepared_it_is_refused_with_what_to_prepare(deployer: Deployer, tmp_path: Path) -> None:
    done = deployer.run("deploy", GEOMILL_HOME=str(tmp_path), GEOMILL_NO_CRON="1")
    assert done.returncode == 1
    assert "db/extensions.sql" in done.stderr
    assert contents(deployer.database) == {}


def test_a_login_that_may_nothing_is_refused(server: Server, empty: Database, tmp_path: Path) -> None:
    login, password = f"geomill_test_nobody_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    with psycopg.connect(on_database(server.superuser_dsn, empty.name), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(login), sql.Literal(password)))
        try:
            host = urlsplit(empty.dsn())
            dsn = f"postgresql://{login}:{password}@{host.hostname}:{host.port}/{empty.name}"
            done = Deployer(empty, login, dsn).run("deploy", GEOMILL_HOME=str(tmp_path), GEOMILL_NO_CRON="1")
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
    assert done.returncode == 1
    assert "have a superuser run" in done.stderr
    assert contents(empty) == {}
