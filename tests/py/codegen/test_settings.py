"""What the environment decides, and what of it is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegen import __main__ as command
from codegen.refusal import RefusedError
from codegen.settings import Settings, explained, settings, value, variable
from tests.py.support.server import CHECKOUT, Database


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting is set, and the home is empty."""
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path))
    return monkeypatch


@pytest.mark.parametrize(
    ("environment", "auto_deploy", "backup"), [(None, True, True), ("dev", True, True), ("test", True, False), ("prod", False, True)]
)
def test_each_environment_has_its_defaults(bare: pytest.MonkeyPatch, environment: str | None, auto_deploy: bool, backup: bool) -> None:
    bare.setenv("GEOMILL_ENVIRONMENT", environment or "")
    current = settings()
    assert (current.environment, current.auto_deploy, current.backup_before_deploy) == (environment or "dev", auto_deploy, backup)
    assert current.validate_generated
    assert not current.no_cron


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "geomill.env").write_text("# ours\nGEOMILL_ENVIRONMENT=prod\nGEOMILL_DEPLOY_ATTEMPTS=3\nGEOMILL_NO_CRON=\n")
    assert settings().environment == "prod"
    assert settings().auto_deploy is False, "a default of prod, as the file says"
    assert settings().deploy_attempts == 3
    bare.setenv("GEOMILL_DEPLOY_ATTEMPTS", "4")
    bare.setenv("GEOMILL_AUTO_DEPLOY", "1")
    assert settings().deploy_attempts == 4
    origins = {setting.variable: setting.origin for setting in explained()}
    assert origins["GEOMILL_DEPLOY_ATTEMPTS"] == "environment"
    assert origins["GEOMILL_ENVIRONMENT"] == str(tmp_path / "geomill.env")
    assert origins["GEOMILL_BACKUP_BEFORE_DEPLOY"] == "default in prod"
    assert origins["GEOMILL_NO_CRON"] == "default"


@pytest.mark.parametrize(
    ("name", "wrong", "remedy"),
    [
        ("GEOMILL_ENVIRONMENT", "production", "dev, test, prod"),
        ("GEOMILL_AUTO_DEPLOY", "perhaps", "1 or 0"),
        ("GEOMILL_DEPLOY_LOCK_TIMEOUT_MS", "501", "at most 500"),
        ("GEOMILL_DEPLOY_ATTEMPTS", "many", "a number"),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_wrong_value_is_refused_by_name(bare: pytest.MonkeyPatch, tmp_path: Path, name: str, wrong: str, remedy: str, where: str) -> None:
    if where == "file":
        (tmp_path / "geomill.env").write_text(f"{name}={wrong}\n")
    else:
        bare.setenv(name, wrong)
    with pytest.raises(RefusedError) as refused:
        settings()
    assert f"{name}={wrong}" in refused.value.where
    assert ("geomill.env" in refused.value.where) == (where == "file")
    assert remedy in refused.value.remedy


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("line", ["GEOMILL_AUTODEPLOY=perhaps", "GEOMILL_HOME=/elsewhere", "GEOMILL_DSN=postgresql://me:secret@db/x"])
def test_what_the_file_cannot_say_is_refused_without_its_value(tmp_path: Path, line: str) -> None:
    (tmp_path / "geomill.env").write_text(f"{line}\n")
    with pytest.raises(RefusedError) as refused:
        settings()
    assert line.partition("=")[0] in refused.value.where
    assert line.partition("=")[2] not in str(refused.value)
    assert "GEOMILL_AUTO_DEPLOY" in refused.value.remedy


def test_it_is_read_again_at_each_call(bare: pytest.MonkeyPatch) -> None:
    assert not settings().pooler
    bare.setenv("GEOMILL_POOLER", "1")
    assert settings().pooler


def test_one_value_alone_is_for_scripts(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("GEOMILL_ENVIRONMENT", "prod")
    assert (value("auto_deploy"), value("GEOMILL_BACKUP_BEFORE_DEPLOY")) == ("0", "1")
    with pytest.raises(RefusedError, match="no such setting"):
        value("PATH")


@pytest.mark.usefixtures("bare")
def test_the_command_prints_all_of_them(capsys: pytest.CaptureFixture[str], bare: pytest.MonkeyPatch) -> None:
    bare.setenv("GEOMILL_DSN", "postgresql://me:secret@db/x")
    assert command.main(["settings"]) == 0
    said = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"{variable(name)}=" in said
    assert "secret" not in said


class TestUp:
    """ops/up.sh, on a server that exists."""

    def run(self, database: Database, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        named = {"GEOMILL_DSN": database.dsn(), "GEOMILL_HOME": str(tmp_path), "GEOMILL_NO_CRON": "1"}
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("GEOMILL_", "PG"))}
        (checkout := tmp_path / "checkout").mkdir()
        for entry in CHECKOUT.iterdir():
            if entry.name not in (".venv", ".git", ".geomill"):
                (checkout / entry.name).symlink_to(entry)
        (checkout / ".venv" / "bin").mkdir(parents=True)
        python = checkout / ".venv" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        # ops/up.sh goes to its own checkout, which is a folder of links here.
        (checkout / "ops").unlink()
        (checkout / "ops").mkdir()
        for script in (CHECKOUT / "ops").iterdir():
            if script.is_file():
                (checkout / "ops" / script.name).symlink_to(script)
        return subprocess.run(
            ["bash", str(checkout / "ops" / "up.sh")],
            env=kept | named | environment,
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    @staticmethod
    def spoil(database: Database) -> None:
        with database.connect() as connection:
            connection.execute("COMMENT ON TABLE app.jobs IS 'not what deploy wrote'")

    @staticmethod
    def comment(database: Database) -> str:
        with database.connect() as connection:
            row = connection.execute("SELECT obj_description('app.jobs'::regclass, 'pg_class')").fetchone()
            assert row is not None
            return str(row[0])

    def test_in_dev_it_deploys(self, database: Database, tmp_path: Path) -> None:
        self.spoil(database)
        done = self.run(database, tmp_path)
        assert done.returncode == 0, done.stderr
        assert self.comment(database) != "not what deploy wrote"

    def test_in_prod_it_deploys_nothing_that_nobody_agreed_to(self, database: Database, tmp_path: Path) -> None:
        self.spoil(database)
        done = self.run(database, tmp_path, GEOMILL_ENVIRONMENT="prod")
        assert done.returncode == 0, done.stderr
        assert "make deploy" in done.stderr
        assert self.comment(database) == "not what deploy wrote"

    def test_a_setting_that_is_wrong_deploys_nothing(self, database: Database, tmp_path: Path) -> None:
        self.spoil(database)
        done = self.run(database, tmp_path, GEOMILL_ENVIRONMENT="prd")
        assert done.returncode == 1
        assert "GEOMILL_ENVIRONMENT=prd" in done.stderr
        assert self.comment(database) == "not what deploy wrote"
