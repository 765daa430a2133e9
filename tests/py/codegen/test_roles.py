"""What is wrong with roles is named; what db/roles.sql can mend, a deploy mends."""

from __future__ import annotations

import psycopg
import pytest

from codegen import roles
from codegen.generate import DB
from tests.py.support.server import Database

# Roles belong to the cluster, and other tests use them: each change here is undone by a rollback.
BROKEN = {
    "ALTER ROLE geomill_api BYPASSRLS": "unexpected attribute BYPASSRLS of role geomill_api",
    "REVOKE geomill_worker FROM geomill_owner": "missing    membership of geomill_owner in geomill_worker",
    "GRANT geomill_admin TO geomill_client": "unexpected membership of geomill_client in geomill_admin",
    "ALTER DEFAULT PRIVILEGES FOR ROLE geomill_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC":
        "missing    default privilege of geomill_owner: PUBLIC may execute what it makes",
    "ALTER DEFAULT PRIVILEGES FOR ROLE geomill_worker GRANT EXECUTE ON FUNCTIONS TO PUBLIC":
        "missing    default privilege of geomill_worker: PUBLIC may execute what it makes",
    "ALTER DEFAULT PRIVILEGES FOR ROLE geomill_worker IN SCHEMA geo GRANT SELECT ON TABLES TO PUBLIC":
        "unexpected default privilege of geomill_worker: what it makes in geo is open to PUBLIC",
    "ALTER DEFAULT PRIVILEGES FOR ROLE geomill_owner GRANT INSERT ON TABLES TO geomill_client":
        "unexpected default privilege of geomill_owner: what it makes is open to geomill_client",
    "GRANT CREATE ON SCHEMA public TO PUBLIC": "unexpected grant of CREATE on schema public to PUBLIC",
}  # fmt: skip
NOT_MENDED = ("attribute", "unexpected membership", "is open to")
"""What somebody gave on purpose is named, not taken away."""


def test_a_deployed_database_has_no_difference(module_database: Database) -> None:
    with module_database.connect() as connection:
        assert roles.differences(connection) == []


@pytest.mark.parametrize("broken", BROKEN)
def test_each_difference_is_named_and_mended_where_it_can_be(module_database: Database, broken: str) -> None:
    named = BROKEN[broken]
    with module_database.connect(autocommit=False) as connection:
        connection.execute(broken.encode())
        assert roles.differences(connection) == [named]
        connection.execute((DB / "roles.sql").read_bytes())
        assert roles.differences(connection) == ([named] if any(words in named for words in NOT_MENDED) else [])
        connection.rollback()


def test_it_looks_without_any_right(module_database: Database) -> None:
    with module_database.connect("reader") as connection:
        assert roles.differences(connection) == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM app.jobs")
