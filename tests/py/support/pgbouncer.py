"""A PgBouncer in front of the test server: transaction pooling, far fewer server connections than clients."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from tests.py.support.server import ROLES, Database, Role, Server
from tests.py.support.waiting import wait_for

POOL = 4
"""Server connections of one login to one database, however many clients it has."""

_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
# As root it refuses to run, as PostgreSQL does.
_RUNS_AS: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


@dataclass(frozen=True)
class PooledDatabase(Database):
    """The same database, with every connection string leading through the pooler."""

    port: int

    def dsn(self, role: Role = "superuser") -> str:
        url = urlsplit(super().dsn(role))
        return url._replace(netloc=f"{url.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}").geturl()

    def connect(self, role: Role = "superuser", *, autocommit: bool = True, **options: Any) -> psycopg.Connection[Any]:
        # What is prepared on one server connection is not there on the next.
        return super().connect(role, autocommit=autocommit, prepare_threshold=None, **options)

    def environment(self) -> dict[str, str]:
        return super().environment() | {"GEOMILL_POOLER": "1"}


@contextmanager
def pooled(database: Database) -> Iterator[PooledDatabase]:
    """The database behind a PgBouncer of its own, gone at the end."""
    if _PROGRAM is None:
        raise RuntimeError("pgbouncer is not installed: ops/install.sh server")
    # Not below pytest's folder, which the pooler's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="geomill-pgbouncer-"))
    try:
        process, port = _start(_PROGRAM, folder, database.server)
        try:
            yield PooledDatabase(database.server, database.name, port)
        finally:
            # At once: clients that are left are the test's.
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)
    finally:
        shutil.rmtree(folder)


def _start(program: str, folder: Path, server: Server) -> tuple[subprocess.Popen[bytes], int]:
    """The process and its port. It must be told one; if another takes that first, it is told another."""
    for _ in range(5):
        port = _free_port()
        _configure(folder, server, port)
        process = subprocess.Popen([program, "--quiet", folder / "pgbouncer.ini"], cwd=folder, **_RUNS_AS)
        wait_for(partial(_has_started, process, port), message="PgBouncer does not answer")
        if process.poll() is None:
            return process, port
    raise AssertionError((folder / "log").read_text())


def _has_started(process: subprocess.Popen[bytes], port: int) -> bool:
    return process.poll() is not None or _answers(port)


def _configure(folder: Path, server: Server, port: int) -> None:
    url = urlsplit(server.superuser_dsn)
    logins = [urlsplit(server.role_dsn(role)) for role in ROLES if server.has_login(role)]
    users = "".join(f'"{unquote(login.username or "")}" "{unquote(login.password or "")}"\n' for login in logins)
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "logfile": folder / "log",
        "pidfile": folder / "pid",
        "auth_file": folder / "users",
        # A server for tests that lets everybody in has no passwords that could be asked for.
        "auth_type": "scram-sha-256" if url.password else "trust",
        "pool_mode": "transaction",
        "default_pool_size": POOL,
        "max_client_conn": 200,
        "ignore_startup_parameters": "extra_float_digits,options",
    }
    lines = [f"{key} = {value}" for key, value in settings.items()]
    target = f"* = host={url.hostname} port={url.port or 5432}"
    files = {"users": users, "pgbouncer.ini": "\n".join(["[databases]", target, "[pgbouncer]", *lines, ""])}
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content)
    if _RUNS_AS:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
