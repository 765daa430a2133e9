"""The engine through a real PgBouncer in transaction mode, sixteen clients on four server connections."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import CLIENT, StartWorkers
from tests.py.integration.ddh import Ddh
from tests.py.integration.drain import drain
from tests.py.integration.test_fan_in import RACE, assert_invariants, one
from tests.py.support.pgbouncer import POOL, PooledDatabase, pooled
from tests.py.support.samples import place
from tests.py.support.server import CHECKOUT, Database
from tests.py.support.waiting import wait_for

ENGINE = (
    "advance_job_stage", "cancel_job", "claim_tasks", "complete_task_and_check_stage", "fail_task", "fan_out", "heartbeat", "hold_task",
    "increment_task_retry_count", "pause_task_type", "redrive_task", "release_tasks", "retry_job", "run_janitor", "stage_results",
    "state_transitions", "submit_job", "turn", "why",
)  # fmt: skip

LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'geomill listen%'"


@pytest.fixture
def pool(database: Database) -> Iterator[PooledDatabase]:
    with pooled(database) as through:
        yield through


@pytest.fixture
def engine_pool(engine_database: Database) -> Iterator[PooledDatabase]:
    with pooled(engine_database) as through:
        yield through


def server_connections(database: Database, login: str) -> int:
    """How many connections of a login the server has: what the pooler opened, and keeps."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = %s", [database.name, login]
        ).fetchone()
        assert row is not None
        return int(row[0])


def submit(database: Database, jobs: int) -> None:
    with database.connect() as connection:
        connection.execute("SELECT app.submit_job('hello_world', jsonb_build_object('n', 1 + i)) FROM generate_series(1, %s) AS i", [jobs])


def completed(database: Database) -> int:
    with database.connect() as connection:
        return int(one(connection, "SELECT count(*) FROM app.jobs WHERE status = 'completed'"))


def test_workers_end_every_job(database: Database, pool: PooledDatabase, workers: StartWorkers) -> None:
    submit(database, 40)
    assert workers("--processes", "6", "--until-idle", database=pool).wait() == 0
    assert completed(database) == 40
    with database.connect() as connection:
        assert one(connection, "SELECT count(*) FROM app.workers") == 6
        assert one(connection, "SELECT count(*) FROM app.task_errors") == 0
    assert 1 <= server_connections(database, "geomill_worker") <= POOL


def test_a_request_comes_about(database: Database, pool: PooledDatabase, source_root: Path, workers: StartWorkers) -> None:
    """As DDH through the pooler: submit, status, search; effects, their COPY and their temporary tables as well."""
    ddh = Ddh(pool)
    vector, _ = ddh.submit("countries", place("naturalearth_lowres.shp", source_root))
    assert workers("--processes", "3", "--until-idle", database=pool).wait() == 0
    assert ddh.status(vector)["status"] == "completed", ddh.status(vector)["error"]
    assert ddh.query(b"SELECT count(*) FROM geo.road_countries_v1") == [(177,)]
    assert {item["id"] for item in ddh.search()} == {"road_countries_v1"}
    assert server_connections(database, CLIENT) >= 1


def test_fan_in_is_exact(engine_database: Database, engine_pool: PooledDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOMILL_POOLER", "1")
    with engine_database.connect() as admin:
        admin.execute("SELECT tests.given_workflow('race', %s)", (Jsonb(RACE.obj),))
        admin.execute("CREATE TABLE tests_effects (task_id bigint, attempt integer)")
        admin.execute("SELECT app.submit_job('race', jsonb_build_object('n', 10, 'i', i)) FROM generate_series(1, 50) AS i")
        tally = drain(engine_pool.dsn(), admin, processes=16, seconds=400)
        assert tally.unexpected == []
        assert tally.deadlocks == 0
        assert one(admin, "SELECT count(*) FROM app.jobs WHERE status = 'completed'") == 50
        assert one(admin, "SELECT count(*) FROM app.janitor_runs") == 0
        assert_invariants(admin)


def test_without_a_direct_connection_workers_poll(database: Database, pool: PooledDatabase, workers: StartWorkers) -> None:
    running = workers("--processes", "1", database=pool)
    wait_for(lambda: "worker started" in running.output)
    submit(database, 1)
    wait_for(lambda: completed(database) == 1)
    with database.connect() as connection:
        assert one(connection, LISTENERS) == 0


def test_they_listen_by_a_direct_one(database: Database, pool: PooledDatabase, workers: StartWorkers) -> None:
    running = workers("--processes", "1", database=pool, environment={"GEOMILL_LISTEN_DSN": database.dsn("worker")})
    with database.connect() as connection:
        wait_for(lambda: one(connection, LISTENERS) == 1)
        submit(database, 1)
        wait_for(lambda: completed(database) == 1)
        # Its server connection is nobody else's: what the pooler keeps has other names.
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'geomill listen%'")
        wait_for(lambda: "listening connection lost" in running.output)
        submit(database, 2)
        wait_for(lambda: completed(database) == 2, message="polling is behind it")


class TestSessionState:
    """What one client leaves on a server connection, the next one gets: nothing of ours may trust it, or leave any."""

    @staticmethod
    def leave(pool: PooledDatabase, role: Any, *statements: str) -> None:
        """On every server connection of the role's."""
        with pool.connect(role) as first, pool.connect(role) as second, pool.connect(role) as third, pool.connect(role) as fourth:
            held = [first, second, third, fourth]
            for connection in held:
                connection.execute("BEGIN")
            assert len({one(connection, "SELECT pg_backend_pid()") for connection in held}) == POOL
            for connection in held:
                for statement in statements:
                    connection.execute(statement.encode())
                connection.execute("COMMIT")

    def test_a_search_path_and_temporary_objects_of_another_client_change_nothing(self, database: Database, pool: PooledDatabase) -> None:
        with database.connect() as connection:
            connection.execute("SELECT platform.allow_source_root('ddh_v1', '/srv/hub/')")
        self.leave(
            pool,
            "ddh",
            "CREATE TEMPORARY TABLE clients (client_id text, login_role text)",
            "CREATE DOMAIN pg_temp.jsonb AS varchar(1)",
            "CREATE DOMAIN pg_temp.text AS varchar(1)",
            "SET search_path = pg_temp, pg_catalog",
            "SET geomill.client = 'another'",
        )
        ddh = Ddh(pool)
        request, created = ddh.submit("left", "/srv/hub/left.gpkg")
        assert created
        with database.connect() as connection:
            assert connection.execute("SELECT client_id FROM platform.requests WHERE request_id = %s", [request]).fetchone() == (CLIENT,)

    def test_an_isolation_level_that_was_left_is_refused(self, database: Database, pool: PooledDatabase) -> None:
        submit(database, 1)
        self.leave(pool, "worker", "SET default_transaction_isolation = 'repeatable read'")
        with pool.connect("worker") as connection, pytest.raises(psycopg.errors.ActiveSqlTransaction, match="READ COMMITTED"):
            connection.execute("SELECT * FROM app.claim_tasks('w', NULL, 1)")

    def test_a_hold_ends_with_its_transaction(self, database: Database, pool: PooledDatabase) -> None:
        """Held by one client, the task is not held by the next that gets the same server connection."""
        submit(database, 1)
        with pool.connect("worker") as connection:
            claimed = connection.execute("SELECT task_id, attempt FROM app.claim_tasks('w', NULL, 1)").fetchone()
            assert claimed is not None
            connection.execute("SELECT app.hold_task(%s, %s)", claimed)
            stale = connection.execute(
                "SELECT task_updated FROM app.complete_task_and_check_stage(%s, %s, NULL)", (claimed[0], claimed[1] - 1)
            ).fetchone()
        assert stale == (False,), "said, not raised: that is for who holds it"

    def test_no_function_keeps_any(self) -> None:
        kept = re.compile(
            r"pg_(try_)?advisory_lock|\bSET SESSION\b|CREATE TEMP|\bPREPARE\b|\bDECLARE \w+ CURSOR WITH HOLD|\bLISTEN\b", re.IGNORECASE
        )
        for file in sorted((CHECKOUT / "db").glob("*/0*_*.sql")):
            code = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("--"))
            assert kept.search(code) is None, file
            for call in re.findall(r"set_config\((?:[^()]|\([^()]*\))*\)", code):
                assert call.endswith("true)"), f"{file}: {call} would outlive its transaction"


EVERYTHING = tuple(sorted(folder.name for folder in (CHECKOUT / "tests" / "pgtap" / "app").iterdir()))


@pytest.mark.parametrize("functions", [pytest.param(ENGINE, id="called"), pytest.param(EVERYTHING, id="all", marks=pytest.mark.slow)])
def test_the_engines_own_tests_pass(functions: tuple[str, ...], engine_database: Database, engine_pool: PooledDatabase) -> None:
    """What workers and clients call, in tests/pgtap/app: each file is a transaction, and gets whatever server connection is free."""
    prove = shutil.which("pg_prove")
    assert prove, "pg_prove is not installed: ops/install.sh server"
    folders = [CHECKOUT / "tests" / "pgtap" / "app" / function for function in functions]
    assert all(folder.is_dir() for folder in folders)
    files = sorted(str(file.relative_to(CHECKOUT)) for folder in folders for file in folder.glob("*.sql"))
    done = subprocess.run(
        [prove, "--ext", ".sql", "--jobs", "1", "--dbname", engine_pool.dsn(), *files],
        cwd=CHECKOUT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert f"Files={len(files)}," in done.stdout
    assert 1 <= server_connections(engine_database, "postgres") - 1 <= POOL
