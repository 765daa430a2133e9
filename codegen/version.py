"""Which geomill this is: the version in pyproject.toml, and the commit where git knows it."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


@cache
def version() -> str:
    """The version in pyproject.toml, which stands beside this package in every way geomill is shipped."""
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def git_revision() -> str | None:
    """The checkout's commit; None outside git."""
    try:
        done = subprocess.run(["git", "-C", str(CHECKOUT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
