"""Artefacts in a bucket of an object store.

An attempt writes to a local folder (below GEOMILL_SCRATCH, else the system's); publishing is one upload, which is complete or
not there. What the attempt left here goes with it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workers import object_store
from workers.storage import Storage, Stored, key_parts

_AT_ONCE = 1000


@dataclass(frozen=True)
class ObjectStorage(Storage):
    """`root` is where attempts write; `bucket` and `prefix` are where artefacts are kept."""

    bucket: str = ""
    prefix: str = ""

    @classmethod
    def at_url(cls, url: str, base_url: str | None) -> ObjectStorage:
        """A storage below a URL. Nothing is asked of the store yet: its client must not be made before a fork."""
        bucket, key = object_store.split(url.rstrip("/"))
        scratch = Path(os.environ.get("GEOMILL_SCRATCH") or tempfile.gettempdir()) / "geomill-attempts"
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(
            root=scratch.resolve(strict=True),
            base_url=(base_url or url).rstrip("/"),
            bucket=bucket,
            prefix=f"{key}/" if key else "",
        )

    def publish(self, attempt_path: Path, key: str) -> str:
        """Upload an attempt's file as the artefact of its key, and return its URL. Earlier attempts' files for the key go."""
        ours = self.own_attempt(attempt_path, key)
        object_store.put(self.bucket, self.prefix + key, attempt_path)
        self.clear_up(ours)
        return self.href(key)

    def remove_prefix(self, prefix: str) -> int:
        """Remove everything below a prefix; returns the number of objects. Repeatable."""
        super().remove_prefix(prefix)
        below = "/".join(key_parts(prefix.rstrip("/")))
        keys = [self.prefix + one.name for one in self.listed(below)]
        if not keys and self.found(below) is not None:
            keys = [self.prefix + below]
        for start in range(0, len(keys), _AT_ONCE):
            object_store.delete(self.bucket, keys[start : start + _AT_ONCE])
        return len(keys)

    def listed(self, prefix: str) -> Iterator[Stored]:
        """The artefacts below a prefix (all of them: "")."""
        below = f"{self.prefix}{prefix.rstrip('/')}/" if prefix else self.prefix
        for one in object_store.listed(self.bucket, below):
            yield Stored(one.key.removeprefix(self.prefix), one.size)

    def found(self, key: str) -> Stored | None:
        """The artefact of a key, if it is there."""
        one = object_store.find(self.bucket, self.prefix + "/".join(key_parts(key)))
        return None if one is None else Stored(key, one.size)

    def sha256(self, key: str, check: Callable[[], None]) -> str | None:
        """The SHA-256 of the artefact of a key; None if it is not there."""
        one = object_store.find(self.bucket, self.prefix + "/".join(key_parts(key)))
        return None if one is None else object_store.sha256(self.bucket, one, check)

    def remove(self, stored: Stored) -> None:
        """Remove an artefact that was listed. One that is gone is no error."""
        object_store.delete(self.bucket, [self.prefix + stored.name])
