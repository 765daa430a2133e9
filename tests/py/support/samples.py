"""The real files that tests read: tests/data, and demo/data for those that the demo shows."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.py.support.server import CHECKOUT

FOLDERS = (CHECKOUT / "tests" / "data", CHECKOUT / "demo" / "data")


def sample(name: str) -> Path:
    """Where the file is, to read it in place."""
    for folder in FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is in none of {', '.join(str(folder) for folder in FOLDERS)}")


def place(name: str, folder: Path) -> Path:
    """A copy of the file in the folder; of a shapefile, with the files that belong to it.

    What is there under these names is replaced, never written to: a link that a test made must not lead out of the folder.
    """
    source = sample(name)
    files = source.parent.glob(f"{source.stem}.*") if source.suffix == ".shp" else [source]
    for file in files:
        copy = folder / file.name
        copy.unlink(missing_ok=True)
        shutil.copyfile(file, copy)
    return folder / name
