"""A server for one run of pytest, where ops/test.sh has not prepared one already."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.py.support.server import CHECKOUT, Server, outside_environment


@contextmanager
def throwaway_server() -> Iterator[Server]:
    """The server of GEOMILL_TEST_DSN, else a cluster of this run's own, with both templates; gone at the end.

    The folder is named after this process, as ops/test.sh names its own: `ops/test.sh sweep` finds what a killed run left.
    """
    home = Path(os.environ.get("GEOMILL_HOME", CHECKOUT / ".geomill")).resolve() / "test" / str(os.getpid())
    home.mkdir(parents=True)
    given = os.environ.get("GEOMILL_TEST_DSN")
    template = f"geomill_template_{os.getpid()}" if given else "geomill_template"
    try:
        if not given:
            _cluster("up", "--throwaway", home=home)
        server = Server(given or (home / "dsn" / "superuser").read_text().strip(), home, template)
        try:
            server.deploy_template()
            server.deploy_engine_template()
            yield server
        finally:
            server.drop(server.engine_template)
            server.drop(server.template)
    finally:
        if not given:
            _cluster("destroy", home=home)
        shutil.rmtree(home)


def _cluster(*arguments: str, home: Path) -> None:
    # Its output stays with pytest's: a cluster that does not start says why.
    subprocess.run([CHECKOUT / "ops" / "cluster.sh", *arguments], env=outside_environment() | {"GEOMILL_HOME": str(home)}, check=True)
