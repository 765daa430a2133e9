"""The name of a worker: new at each process start, and again when it has been declared dead under the old one."""

from __future__ import annotations

import os
import secrets
import socket
import tomllib
from functools import cache
from pathlib import Path


class Identity:
    """Renewed by the loop; read, and marked dead, by the heartbeat's thread."""

    def __init__(self) -> None:
        self.hostname = socket.gethostname()[:150]
        self.worker_id = ""
        self.dead = False
        self.renew()

    def renew(self) -> None:
        """Take a new worker_id."""
        self.worker_id = f"{self.hostname}-{os.getpid()}-{secrets.token_hex(4)}"
        self.dead = False

    def declared_dead(self, worker_id: str) -> bool:
        """Note that a worker_id is dead; True if it was ours, and this is news."""
        news = worker_id == self.worker_id and not self.dead
        if news:
            self.dead = True
        return news


@cache
def software_version() -> str:
    """geomill's version, from the pyproject.toml that stands beside this package in every way geomill is shipped."""
    with (Path(__file__).resolve().parents[1] / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
