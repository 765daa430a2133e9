"""Which geomill this is, as STAC items and the workers' register name it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

NAME = "geomill"


def software_version() -> str:
    """geomill's version, as it is installed; a checkout that is only run has none."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "checkout"
