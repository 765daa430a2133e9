"""What a worker sees of the place where artefacts go: whether it can write there, and how much room is left."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from typing import Any

from workers.errors import TaskError
from workers.storage import Storage


@dataclass(frozen=True)
class StorageProbe:
    """A look at a storage: `metric` says why it is not well, or how much is free."""

    location: str
    is_well: bool
    metric: dict[str, Any]


def look_at(storage: Storage) -> StorageProbe:
    """Write a file there, and remove it: rights and mounts have many ways to lie."""
    try:
        with tempfile.TemporaryFile(dir=storage.root) as file:
            file.write(b"geomill")
            file.flush()
        # A bucket is elsewhere: whether it answers is another question.
        next(iter(storage.listed("geomill-probe")), None)
        usage = shutil.disk_usage(storage.root)
    except (OSError, TaskError) as error:
        return StorageProbe(storage.base_url, is_well=False, metric={"error": str(error)})
    return StorageProbe(storage.base_url, is_well=True, metric={"free_bytes": usage.free, "total_bytes": usage.total})
