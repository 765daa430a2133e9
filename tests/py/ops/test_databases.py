"""The fixtures' own promises: a database for each test, a login for each role, nothing of pg_cron."""

from __future__ import annotations

import pytest

from tests.py.support.server import Database, Role, Server, on_database

LOGINS: dict[Role, str] = {
    "superuser": "postgres",
    "owner": "geomill_owner",
    "worker": "geomill_worker",
    "admin": "geomill_admin",
    "reader": "geomill_reader",
    "ddh": "ddh_v1",
}


@pytest.mark.parametrize("role", LOGINS)
def test_each_role_has_its_login(module_database: Database, role: Role) -> None:
    with module_database.connect(role) as connection:
        assert connection.execute("SELECT session_user::text, current_database()::text").fetchone() == (LOGINS[role], module_database.name)


def test_what_one_test_does_another_does_not_see(database: Database, engine_database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE public.mine ()")
    with engine_database.connect() as connection:
        assert connection.execute("SELECT to_regclass('public.mine')").fetchone() == (None,)


def test_no_job_of_pg_cron_is_scheduled(server: Server, database: Database) -> None:
    with Database(server, "postgres").connect() as connection:
        row = connection.execute("SELECT to_regclass('cron.job') IS NULL").fetchone()
        assert row is not None
        if not row[0]:
            assert connection.execute("SELECT jobname FROM cron.job WHERE database = %s", (database.name,)).fetchall() == []


def test_a_database_is_exchanged_in_any_uri() -> None:
    assert on_database("postgresql://u:p%40@h:1/old?sslmode=require", "new") == "postgresql://u:p%40@h:1/new?sslmode=require"
