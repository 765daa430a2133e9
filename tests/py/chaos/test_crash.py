"""The server is killed -9 under load, postmaster and all, and started again: what was acknowledged is there, once.

On a cluster of the test's own, with fsync on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.py.support.server import CHECKOUT, Database, Server, outside_environment
from tests.py.support.waiting import wait_for

from .conftest import SETUP
from .invariants import check
from .length import LONG, rng, seconds
from .scenes import one, recover

CLIENTS = 4
SUBMIT = "SELECT app.submit_job('sturdy', jsonb_build_object('n', 300, 'i', i)) FROM generate_series(%s::integer, %s::integer) AS i"


@pytest.fixture(scope="module")
def crash_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database on a server that nobody else needs."""
    home = tmp_path_factory.mktemp("crash")
    _cluster(home, "up", "--throwaway")
    try:
        server = Server((home / "dsn" / "superuser").read_text().strip(), home, "crash_template")
        server.deploy_template()
        server.deploy_engine_template()
        database = server.create("crash", server.engine_template)
        with database.connect() as connection:
            connection.execute(SETUP.read_bytes())
            # Made as fast as can be; from here on as in earnest.
            for setting in ("fsync", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = on").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
            wait_for(lambda: one(connection, "SHOW fsync") == "on" and one(connection, "SHOW full_page_writes") == "on")
            assert one(connection, "SHOW synchronous_commit") == "on"
            connection.execute("CHECKPOINT")
        yield database
    finally:
        _cluster(home, "up")
        _cluster(home, "destroy")


def _cluster(home: Path, *arguments: str) -> None:
    subprocess.run([CHECKOUT / "ops" / "cluster.sh", *arguments], env=outside_environment() | {"GEOMILL_HOME": str(home)}, check=True)


def _where_it_is_now(database: Database) -> Database:
    """While the server was down, another may have taken its port."""
    dsn = (database.server.home / "dsn" / "superuser").read_text().strip()
    return replace(database, server=replace(database.server, superuser_dsn=dsn))


class Client(threading.Thread):
    """Works, and remembers what it was told is done; whatever happens to the server, it tries again."""

    def __init__(self, database: Database, number: int) -> None:
        super().__init__()
        self.database, self.number = database, number
        self.acknowledged: list[tuple[int, int]] = []
        self.unexpected: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        generation = 0
        while not self.stopped.is_set():
            generation += 1
            try:
                with self.database.connect(connect_timeout=10) as connection:
                    self._work(connection, f"crash-{self.number}.{generation}")
            except psycopg.OperationalError:
                time.sleep(0.05)
            except psycopg.Error as error:
                self.unexpected.append(f"{error.sqlstate}: {error}")
                return

    def _work(self, connection: psycopg.Connection[Any], worker: str) -> None:
        while not self.stopped.is_set():
            if self.number % 2:
                claimed = connection.execute("SELECT task_id, attempt FROM app.turn(%s, '[]', '{work}', 5)", (worker,)).fetchall()
                finished = [{"task_id": task, "attempt": attempt} for task, attempt in claimed]
                connection.execute("SELECT FROM app.turn(%s, %s, '{work}', 0)", (worker, Jsonb(finished)))
            else:
                claimed = connection.execute("SELECT task_id, attempt FROM app.claim_tasks(%s, '{held}', 1)", (worker,)).fetchall()
                for claim in claimed:
                    with connection.transaction():
                        connection.execute("SELECT app.hold_task(%s, %s)", claim)
                        connection.execute("INSERT INTO tests.effects VALUES (%s, %s)", claim)
                        connection.execute("SELECT app.complete_task_and_check_stage(%s, %s)", claim)
            self.acknowledged += claimed
            if not claimed:
                time.sleep(0.01)


def _kill_server(data: str) -> None:
    """Every process of the cluster, the postmaster first, as a power cut would."""
    ours = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _folder(entry) == data]
    postmaster = int(Path(data, "postmaster.pid").read_text().split("\n")[0])
    assert postmaster in ours
    for pid in sorted(ours, key=lambda pid: pid != postmaster):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _folder(process: Path) -> str | None:
    try:
        return str((process / "cwd").readlink())
    except OSError:
        return None


def _go_on(clients: list[Client]) -> None:
    """Until some more is acknowledged."""
    before = sum(len(client.acknowledged) for client in clients)
    wait_for(lambda: sum(len(client.acknowledged) for client in clients) > before + 50, message="no work goes on")


def test_a_server_killed_under_load_loses_nothing_that_was_acknowledged(crash_database: Database) -> None:
    chance = rng("crash")
    clients = [Client(crash_database, number) for number in range(CLIENTS)]
    with crash_database.connect() as admin:
        admin.execute(SUBMIT, (1, 30))
        data = str(one(admin, "SHOW data_directory"))
    for client in clients:
        client.start()
    crashes = 0
    try:
        until = time.monotonic() + seconds(0.15)
        while crashes < 2 or (LONG and time.monotonic() < until):
            _go_on(clients)
            time.sleep(chance.random() * 0.3)
            _kill_server(data)
            _cluster(crash_database.server.home, "up")
            crashes += 1
            crash_database = _where_it_is_now(crash_database)
            for client in clients:
                client.database = crash_database
            with crash_database.connect() as admin:
                check(admin, after=f"crash {crashes}")
                # About what was done since the last one: else a long run comes to its end before its time is up.
                admin.execute(SUBMIT, (100 * crashes, 100 * crashes + 4))
    finally:
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join()
    assert [client.unexpected for client in clients] == [[]] * CLIENTS

    with crash_database.connect() as admin:
        acknowledged = [claim for client in clients for claim in client.acknowledged]
        assert len(acknowledged) > 100
        lost = admin.execute(
            "SELECT a.* FROM unnest(%s::bigint[], %s::integer[]) AS a (task_id, attempt) LEFT JOIN app.tasks AS t USING (task_id, attempt)"
            " WHERE t.status IS DISTINCT FROM 'completed'",
            ([task for task, _ in acknowledged], [attempt for _, attempt in acknowledged]),
        ).fetchall()
        assert lost == [], "acknowledged, and lost"
        # Enough is left to go on with; a part of it shows it as well.
        admin.execute("SELECT app.cancel_job(job_id) FROM (SELECT job_id FROM app.jobs ORDER BY job_id OFFSET 1) AS most")
        recover(admin)
        check(admin, "at the end", after="the crashes")
