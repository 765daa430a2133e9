"""ops/cluster.sh: a cluster of geomill's own, made once, found again, and gone when it is to go."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.py.support.server import CHECKOUT, outside_environment
from tests.py.support.waiting import wait_for

NOT_RUNNING = 3

Cluster = Callable[..., subprocess.CompletedProcess[str]]


def dsn(home: Path) -> str:
    return (home / "dsn" / "superuser").read_text().strip()


def postmaster(home: Path) -> int:
    with psycopg.connect(dsn(home)) as connection:
        row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    return int(row[0].splitlines()[0])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cluster(home: Path) -> Iterator[Cluster]:
    """Runs ops/cluster.sh for a GEOMILL_HOME of the test's own."""

    def run(*arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [CHECKOUT / "ops" / "cluster.sh", *arguments],
            env=outside_environment() | {"GEOMILL_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected, done.stderr
        return done

    yield run
    run("destroy")


def test_up_twice_is_one_cluster(cluster: Cluster, home: Path) -> None:
    cluster("up", "--throwaway")
    first, pid = dsn(home), postmaster(home)
    cluster("up")
    assert (dsn(home), postmaster(home)) == (first, pid)
    assert (home / "dsn" / "superuser").stat().st_mode & 0o077 == 0
    with psycopg.connect(first) as connection:
        settings: dict[str, str] = dict(connection.execute("SELECT name, setting FROM pg_settings"))
    assert settings["shared_preload_libraries"] == "pg_cron"
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""


def test_data_outlives_down(cluster: Cluster, home: Path) -> None:
    cluster("up", "--throwaway")
    with psycopg.connect(dsn(home)) as connection:
        connection.execute("CREATE TABLE kept ()")
    cluster("down")
    cluster("status", expected=NOT_RUNNING)
    cluster("up")
    with psycopg.connect(dsn(home)) as connection:
        assert connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)


def test_killed_cluster_starts_again(cluster: Cluster, home: Path) -> None:
    cluster("up", "--throwaway")
    pid = postmaster(home)
    os.kill(pid, signal.SIGKILL)
    cluster("up")
    assert postmaster(home) != pid


def test_taken_port_is_left_and_every_dsn_follows(cluster: Cluster, home: Path) -> None:
    cluster("up", "--throwaway")
    cluster("down")
    port = urlsplit(dsn(home)).port
    assert port is not None
    (home / "dsn" / "owner").write_text(f"postgresql://somebody:secret@127.0.0.1:{port}/geomill\n")
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # If not, another cluster of this suite has been quicker.
        with suppress(OSError):
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
        cluster("up")
    moved = urlsplit(dsn(home)).port
    assert moved != port
    assert urlsplit((home / "dsn" / "owner").read_text()).port == moved
    assert postmaster(home) > 0


def test_lost_dsn_is_written_again(cluster: Cluster, home: Path) -> None:
    cluster("up", "--throwaway")
    before = dsn(home)
    (home / "dsn" / "superuser").unlink()
    cluster("up")
    assert dsn(home) == before


def test_destroy_leaves_nothing_and_may_be_repeated(cluster: Cluster, home: Path) -> None:
    cluster("up", "--throwaway")
    pid = postmaster(home)
    data = Path(f"/proc/{pid}/cwd").readlink()
    cluster("destroy")
    assert not data.parent.exists()
    assert not (home / "dsn").exists()
    # It has let go of everything by now; its parent may still have to take note.
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    cluster("destroy")
    cluster("down")
    assert "no cluster" in cluster("status", expected=NOT_RUNNING).stdout
