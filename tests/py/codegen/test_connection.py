"""Which connection string a role has, and the logins behind it."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest

from codegen import logins
from codegen.connection import as_role, connect, dsn_file, resolve_dsn
from codegen.refusal import RefusedError
from tests.py.support.server import Database


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no server."""
    for variable in (
        "GEOMILL_DSN",
        "GEOMILL_DSN_WORKER",
        "GEOMILL_DSN_SUPERUSER",
        "GEOMILL_DSN_DDH",
        "PGHOST",
        "PGHOSTADDR",
        "PGSERVICE",
        "PGDATABASE",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path))
    return monkeypatch


@pytest.mark.usefixtures("bare")
def test_nothing_known_says_what_to_do() -> None:
    with pytest.raises(RefusedError, match="GEOMILL_DSN_DDH") as refused:
        resolve_dsn("ddh")
    assert "make up" in refused.value.remedy


def test_the_more_particular_wins(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setenv("PGHOST", "libpq")
    bare.setenv("PGPASSWORD", "secret")
    assert resolve_dsn("worker") == "host=libpq"
    (tmp_path / "dsn").mkdir()
    (tmp_path / "dsn" / "worker").write_text("postgresql://file\n")
    assert resolve_dsn("worker") == "postgresql://file"
    bare.setenv("GEOMILL_DSN", "postgresql://general")
    assert resolve_dsn("worker") == "postgresql://general"
    assert resolve_dsn("ddh") == "host=libpq", "GEOMILL_DSN is for who deploys and for workers"
    bare.setenv("GEOMILL_DSN_WORKER", "postgresql://own")
    assert resolve_dsn("worker") == "postgresql://own"


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(RefusedError, match="nobody"):
        as_role("nobody")


def test_behind_a_pooler_nothing_is_prepared(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOMILL_DSN_WORKER", database.dsn())
    monkeypatch.setenv("GEOMILL_POOLER", "1")
    with connect("worker") as connection:
        assert connection.prepare_threshold is None
        assert connection.info.parameter_status("application_name") == "geomill worker"


def test_logins_are_made_once_and_kept_while_they_work(database: Database, bare: pytest.MonkeyPatch) -> None:
    # Passwords belong to the cluster: this test takes logins of its own.
    bare.setattr(logins, "LOGINS", {"reader": ("geomill_test_login", "geomill_reader")})
    try:
        said: list[str] = []
        logins.make_logins(database.dsn(), said.append)
        first = dsn_file("reader").read_text()
        assert stat.S_IMODE(dsn_file("reader").stat().st_mode) == 0o600
        assert stat.S_IMODE(dsn_file("reader").parent.stat().st_mode) == 0o700
        assert not any("postgresql://" in line for line in said), "no password is printed"
        with psycopg.connect(resolve_dsn("reader")) as connection:
            assert connection.execute("SELECT session_user::text, current_database()::text").fetchone() == (
                "geomill_test_login",
                database.name,
            )

        said.clear()
        logins.make_logins(database.dsn(), said.append)
        assert dsn_file("reader").read_text() == first
        assert said == []
    finally:
        with database.connect() as connection:
            connection.execute("DROP ROLE IF EXISTS geomill_test_login")
