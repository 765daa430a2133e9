"""Verify names what is missing, wrong or unexpected, beyond the schemas that plan compares."""

from __future__ import annotations

import pytest

from codegen import plan, verify
from codegen.__main__ import main
from tests.py.support.server import Database


def found(database: Database) -> list[str]:
    return verify.verify(database.dsn(), lambda _: None, with_cron=False)


def test_a_fresh_deploy_is_as_it_should_be(module_database: Database) -> None:
    assert found(module_database) == []


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ("DROP SCHEMA geo CASCADE", "missing    schema geo"),
        ("DROP SCHEMA pgstac CASCADE", "missing    schema pgstac"),
        ("INSERT INTO pgstac.migrations (version) VALUES ('0.9.9')", "different  pgstac is 0.9.9, wanted 0.10.0"),
        ("DROP FUNCTION pgstac.search_fromhash", "missing    function pgstac.search_fromhash"),
        ("DELETE FROM app.job_stages WHERE job_type = 'hello_world' AND stage = 2", "different  job type hello_world"),
        ("DROP TABLE h3.zonal_categories CASCADE", "missing    table h3.zonal_categories"),
        ("DROP INDEX h3.idx_grids_geom", "missing    index h3.idx_grids_geom"),
        ("REVOKE SELECT ON h3.cells FROM geomill_client", "missing    grant on table h3.cells to geomill_client"),
        (
            "CREATE FUNCTION app.broken() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT no_such_column FROM app.jobs); END'",
            'wrong      function app.broken(), line 1: column "no_such_column" does not exist',
        ),
    ],
)
def test_what_is_wrong_is_named(planted: str, named: str, database: Database) -> None:
    with database.connect() as connection:
        connection.execute(planted.encode())
    assert named in found(database)


def test_the_exit_status_tells_apart(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GEOMILL_DSN_SUPERUSER", database.dsn())
    assert main(["plan"]) == 0
    assert main(["verify", "--no-cron"]) == 0
    with database.connect() as connection:
        connection.execute("DROP INDEX app.idx_jobs_created_at")
    capsys.readouterr()
    assert main(["plan"]) == 2
    said = capsys.readouterr().out
    assert said.startswith("missing    index app.idx_jobs_created_at\n\n1 step (plan ")
    assert "create index app.idx_jobs_created_at   [share on app.jobs]" in said
    assert main(["verify", "--no-cron"]) == 2
    with database.connect() as connection:
        connection.execute("DROP INDEX app.idx_jobs_status_created_at")
    assert main(["deploy", "--no-cron"]) == 1, "the database has moved since the plan"
    assert "plan again" in capsys.readouterr().err
    assert main(["plan"]) == 2
    assert main(["deploy", "--no-cron"]) == 0
    assert main(["verify", "--no-cron"]) == 0


def test_a_database_without_geomill_is_described_in_two_lines(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DROP SCHEMA app, platform, geo, h3 CASCADE")
        assert plan.differences(connection) == [
            "missing    schema app, with everything in it",
            "missing    schema platform, with everything in it",
        ]


def test_what_others_made_in_geo_and_h3_is_theirs(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE geo.somebodys (id integer); CREATE TABLE h3.somebodys (id integer)")
    assert found(database) == []
