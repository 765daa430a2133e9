"""Managed identities: which one connects, as whom, and that tokens are renewed and never shown."""

from __future__ import annotations

import logging
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from codegen import identity, pgstac
from codegen.__main__ import main
from codegen.connection import connect_to, parameters, with_database
from codegen.identity import SCOPE, ManagedIdentity, NoTokenError, configured
from codegen.refusal import RefusedError
from codegen.settings import Settings, variable
from tests.conftest import StartWorkers
from tests.py.support.metadata import ENDING, Metadata, metadata_server
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for
from workers.errors import is_disconnected

CLIENT_ID = "12345678-1234-1234-1234-123456789abc"
_AZURE = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "WEBSITE_SITE_NAME")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A machine without any identity."""
    for name in [variable(name) for name in Settings.model_fields if name != "home"] + ["PGUSER", "PGPASSWORD", "PGSSLMODE", *_AZURE]:
        monkeypatch.delenv(name, raising=False)
    identity.forget()
    yield monkeypatch
    identity.forget()


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    with metadata_server() as server:
        yield server


def set_all(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        patch.setenv(name, value)


class Principal:
    """A login of the test's own, whose password is what the server would check in a token."""

    def __init__(self, database: Database) -> None:
        self.login = f"geomill_test_{uuid.uuid4().hex[:12]}"
        self.database = database
        server = urlsplit(database.dsn())
        self.dsn = f"postgresql://{server.hostname}:{server.port}/{database.name}"

    def takes(self, token: str) -> None:
        """From now on the server takes this token, and no other."""
        with self.database.connect() as connection:
            hashed = connection.pgconn.encrypt_password(token.encode(), self.login.encode(), b"scram-sha-256").decode()
            exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [self.login]).fetchone() is not None
            command = sql.SQL("ALTER ROLE {} PASSWORD {}" if exists else "CREATE ROLE {} LOGIN PASSWORD {} IN ROLE geomill_worker")
            connection.execute(command.format(sql.Identifier(self.login), sql.Literal(hashed)))

    def drop(self) -> None:
        with self.database.connect() as connection:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.login)))


@pytest.fixture
def principal(database: Database) -> Iterator[Principal]:
    one = Principal(database)
    one.takes("what nobody has")
    try:
        try:
            psycopg.connect(one.dsn, user=one.login, password="wrong").close()
        except psycopg.OperationalError:
            yield one
        else:
            pytest.skip("this server lets everybody in without a password: nothing could be shown")
    finally:
        one.drop()


class TestChain:
    @pytest.mark.parametrize(
        ("variables", "who"),
        [
            ({}, None),
            ({"GEOMILL_IDENTITY_CLIENT_ID": CLIENT_ID}, ManagedIdentity(CLIENT_ID, None)),
            ({"GEOMILL_IDENTITY_CLIENT_ID": CLIENT_ID, "WEBSITE_SITE_NAME": "mill"}, ManagedIdentity(CLIENT_ID, None)),
            ({"WEBSITE_SITE_NAME": "mill"}, ManagedIdentity(None, None)),
            ({"GEOMILL_IDENTITY": "system", "GEOMILL_IDENTITY_LOGIN": "mill"}, ManagedIdentity(None, "mill")),
            ({"GEOMILL_IDENTITY": "system", "GEOMILL_IDENTITY_CLIENT_ID": CLIENT_ID}, ManagedIdentity(None, None)),
            ({"GEOMILL_IDENTITY": "user", "GEOMILL_IDENTITY_CLIENT_ID": CLIENT_ID}, ManagedIdentity(CLIENT_ID, None)),
            ({"GEOMILL_IDENTITY": "none", "WEBSITE_SITE_NAME": "mill", "GEOMILL_IDENTITY_CLIENT_ID": CLIENT_ID}, None),
        ],
    )  # fmt: skip
    def test_user_assigned_then_system_assigned_then_none(
        self, bare: pytest.MonkeyPatch, variables: Mapping[str, str], who: ManagedIdentity | None
    ) -> None:
        set_all(bare, variables)
        assert configured() == who

    def test_an_identity_that_is_not_said_is_refused(self, bare: pytest.MonkeyPatch) -> None:
        bare.setenv("GEOMILL_IDENTITY", "user")
        with pytest.raises(RefusedError, match="GEOMILL_IDENTITY_CLIENT_ID"):
            configured()

    @pytest.mark.usefixtures("bare")
    def test_nothing_that_proves_who_connects_says_what_would(self, principal: Principal) -> None:
        with pytest.raises(psycopg.OperationalError, match=r"GEOMILL_IDENTITY_CLIENT_ID.*PGPASSWORD"):
            connect_to(principal.dsn, user=principal.login)

    def test_a_password_of_another_login_means_that_login(self, bare: pytest.MonkeyPatch, metadata: Metadata) -> None:
        set_all(bare, metadata.app_service | {"GEOMILL_IDENTITY": "system", "GEOMILL_IDENTITY_LOGIN": "mill"})
        metadata.issue()
        assert parameters("host=localhost user=reader password=its_own")["password"] == "its_own"
        assert parameters("host=localhost user=mill password=old")["password"] == metadata.token, "an identity comes before a password"
        assert parameters("host=localhost user=group")["password"] == metadata.token, "a group's login has no password"

    def test_the_login_is_the_strings_or_the_settings_and_else_refused(self, bare: pytest.MonkeyPatch, metadata: Metadata) -> None:
        set_all(bare, metadata.app_service | {"GEOMILL_IDENTITY": "system"})
        metadata.issue()
        assert parameters("host=localhost user=named")["user"] == "named"
        with pytest.raises(RefusedError, match="GEOMILL_IDENTITY_LOGIN"):
            parameters("host=localhost")
        bare.setenv("GEOMILL_IDENTITY_LOGIN", "mill")
        assert parameters("host=localhost")["user"] == "mill"

    def test_without_the_library_it_says_what_to_install(self, bare: pytest.MonkeyPatch) -> None:
        bare.setitem(sys.modules, "azure.identity", None)
        bare.setenv("GEOMILL_IDENTITY", "system")
        with pytest.raises(RefusedError, match=r"geomill\[azure\]"):
            parameters("host=localhost user=x")


class TestToken:
    @pytest.mark.parametrize("kind", ["app_service", "machine"])
    @pytest.mark.parametrize("client_id", [CLIENT_ID, None])
    def test_it_is_the_password_of_the_identitys_login(
        self, bare: pytest.MonkeyPatch, metadata: Metadata, principal: Principal, kind: str, client_id: str | None
    ) -> None:
        set_all(
            bare, getattr(metadata, kind) | ({"GEOMILL_IDENTITY_CLIENT_ID": client_id} if client_id else {"GEOMILL_IDENTITY": "system"})
        )
        bare.setenv("GEOMILL_IDENTITY_LOGIN", principal.login)
        principal.takes(metadata.issue())
        with connect_to(principal.dsn) as connection:
            assert connection.info.user == principal.login
        assert [asked.get("client_id") for asked in metadata.asked] == [client_id]
        assert f"{metadata.asked[0]['resource']}/.default" == SCOPE

    @pytest.fixture
    def as_principal(self, bare: pytest.MonkeyPatch, metadata: Metadata, principal: Principal) -> pytest.MonkeyPatch:
        set_all(bare, metadata.app_service | {"GEOMILL_IDENTITY": "system", "GEOMILL_IDENTITY_LOGIN": principal.login})
        return bare

    @pytest.mark.usefixtures("as_principal")
    def test_new_connections_use_the_new_one_and_old_ones_live_on(self, metadata: Metadata, principal: Principal) -> None:
        principal.takes(metadata.issue(seconds_left=ENDING))
        with connect_to(principal.dsn) as old:
            principal.takes(metadata.issue(seconds_left=ENDING))
            with connect_to(principal.dsn) as new:
                assert new.execute("SELECT session_user::text").fetchone() == (principal.login,)
            assert old.execute("SELECT session_user::text").fetchone() == (principal.login,)
        assert len(metadata.asked) == 2

    @pytest.mark.usefixtures("as_principal")
    def test_one_that_lasts_is_asked_for_once(self, metadata: Metadata, principal: Principal) -> None:
        principal.takes(metadata.issue())
        for _ in range(3):
            connect_to(principal.dsn).close()
        assert len(metadata.asked) == 1

    @pytest.mark.usefixtures("as_principal")
    def test_one_that_the_server_refuses_is_not_tried_again(self, metadata: Metadata, principal: Principal) -> None:
        principal.takes(metadata.issue())
        connect_to(principal.dsn).close()
        principal.takes(metadata.issue())
        with pytest.raises(psycopg.OperationalError, match="system-assigned managed identity") as refused:
            connect_to(principal.dsn)
        assert is_disconnected(refused.value)
        connect_to(principal.dsn).close()
        assert len(metadata.asked) == 2

    @pytest.mark.usefixtures("as_principal")
    def test_none_is_a_database_out_of_reach(self, metadata: Metadata, principal: Principal) -> None:
        metadata.refuses = True
        with pytest.raises(NoTokenError, match="GEOMILL_IDENTITY=none") as refused:
            connect_to(principal.dsn)
        assert is_disconnected(refused.value), "workers try again"

    @pytest.mark.usefixtures("as_principal")
    def test_it_is_shown_nowhere(
        self, metadata: Metadata, principal: Principal, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        principal.takes(metadata.issue())
        with connect_to(principal.dsn) as connection:
            shown = [repr(connection), str(connection.info.get_parameters()), connection.info.dsn]
        principal.takes("another")
        with pytest.raises(psycopg.OperationalError) as refused:
            connect_to(principal.dsn)
        shown += [str(refused.value), repr(refused.value), repr(refused.value.__cause__)]
        assert main(["settings"]) == 0
        said = capsys.readouterr()
        shown += [said.out, said.err, *(record.getMessage() for record in caplog.records), *(str(record.args) for record in caplog.records)]
        assert principal.login in said.out
        for text in shown:
            assert metadata.token not in text

    @pytest.mark.usefixtures("as_principal")
    def test_pypgstac_gets_it_in_its_environment(self, metadata: Metadata, principal: Principal, as_principal: pytest.MonkeyPatch) -> None:
        metadata.issue()
        started: list[tuple[list[str], dict[str, str]]] = []

        def run(command: list[str], *, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
            started.append((command, env))
            return subprocess.CompletedProcess(command, 0, "", "")

        as_principal.setattr(subprocess, "run", run)
        pgstac._run_pypgstac(with_database(principal.dsn, "elsewhere"))
        [(command, environment)] = started
        assert metadata.token not in " ".join(command)
        assert (environment["PGUSER"], environment["PGPASSWORD"], environment["PGDATABASE"]) == (
            principal.login,
            metadata.token,
            "elsewhere",
        )


@pytest.mark.parametrize("host", ["db.example.org", "localhost,db.example.org"])
def test_a_token_never_travels_in_the_clear(bare: pytest.MonkeyPatch, metadata: Metadata, host: str) -> None:
    set_all(bare, metadata.app_service | {"GEOMILL_IDENTITY": "system"})
    metadata.issue()
    assert parameters(f"host={host} user=mill")["sslmode"] == "require"
    assert parameters(f"host={host} user=mill sslmode=verify-full")["sslmode"] == "verify-full"
    with pytest.raises(RefusedError, match="sslmode=prefer"):
        parameters(f"host={host} user=mill sslmode=prefer")
    assert "sslmode" not in parameters("host=127.0.0.1 user=mill"), "a stand-in on this machine"
    assert "sslmode" not in parameters("host=/run/postgresql user=mill")


@pytest.mark.usefixtures("bare")
def test_workers_outlive_their_token(metadata: Metadata, principal: Principal, workers: StartWorkers) -> None:
    """A worker whose connections are all cut after its token has ended connects again, with the new one."""
    database = principal.database
    first = metadata.issue(seconds_left=ENDING)
    principal.takes(first)
    named = {"GEOMILL_IDENTITY_CLIENT_ID": CLIENT_ID, "GEOMILL_IDENTITY_LOGIN": principal.login, "GEOMILL_DSN_WORKER": principal.dsn}
    running = workers("--processes", "2", environment=metadata.app_service | named)

    with database.connect() as connection:

        def completed() -> bool:
            row = connection.execute("SELECT count(*) = %s FROM app.jobs WHERE status = 'completed'", [submitted]).fetchone()
            return bool(row and row[0])

        submitted = 1
        connection.execute("""SELECT app.submit_job('hello_world', '{"n": 3}')""")
        wait_for(completed, message="the first job did not complete")

        # Each of the two has a connection.
        wait_for(lambda: connection.execute("SELECT count(*) FROM app.workers").fetchone() == (2,))
        second = metadata.issue(seconds_left=ENDING)
        principal.takes(second)
        cut = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = %s", [principal.login]
        ).fetchone()
        assert cut is not None
        assert cut[0] >= 2
        submitted = 2
        connection.execute("""SELECT app.submit_job('hello_world', '{"n": 4}')""")
        wait_for(completed, message="the job after the cut did not complete")
    running.terminate()
    assert running.wait() == 0
    assert first not in running.output
    assert second not in running.output
