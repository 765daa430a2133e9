"""ops/psql.py: the connection goes to psql in the environment."""

from __future__ import annotations

import subprocess
import sys

from codegen.connection import environment_of, server_of
from tests.py.support.server import CHECKOUT, Database


def test_every_part_has_libpqs_variable() -> None:
    assert environment_of(server_of("postgresql://me:secret@db:6543/maps?sslmode=require&connect_timeout=3")) == {
        "PGHOST": "db",
        "PGPORT": "6543",
        "PGDATABASE": "maps",
        "PGUSER": "me",
        "PGPASSWORD": "secret",
        "PGSSLMODE": "require",
        "PGCONNECT_TIMEOUT": "3",
    }


def psql(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.psql", *arguments],
        cwd=CHECKOUT,
        env=database.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_connects_as_the_role(module_database: Database) -> None:
    assert psql(module_database, "ddh", "-XAtc", "SELECT session_user").stdout == "ddh_v1\n"


def test_unknown_role_is_refused(module_database: Database) -> None:
    done = psql(module_database, "nobody")
    assert done.returncode != 0
    assert "no role 'nobody'" in done.stderr
