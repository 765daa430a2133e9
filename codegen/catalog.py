"""What is really there: schemas as the catalog shows them, and how two readings differ.

Both sides of a comparison are read by one query from one server, so no expression is ever compared as text from two origins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_QUERY = Path(__file__).with_name("catalog.sql").read_text()

Catalog = dict[tuple[str, str], str]
"""(kind, name) to definition."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the models say. None: not there."""

    kind: str
    name: str
    live: str | None
    wanted: str | None

    def __str__(self) -> str:
        if self.live is None:
            return f"missing    {self.kind} {self.name}"
        if self.wanted is None:
            return f"unexpected {self.kind} {self.name}"
        return f"different  {self.kind} {self.name}{_how(self.live, self.wanted)}"


def read(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> Catalog:
    """Everything that the schemas hold. To be called in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = ''")
        cursor.execute(_QUERY.encode(), {"schemas": list(schemas)})
        result: Catalog = {}
        for kind, name, definition in cursor:
            # Overlong or odd names could meet: then both definitions count.
            key = (kind, name)
            result[key] = f"{result[key]}\n{definition}" if key in result else definition
        return result


def differences(live: Catalog, wanted: Catalog) -> list[Difference]:
    """What differs, sorted."""
    return [
        Difference(kind, name, live.get((kind, name)), wanted.get((kind, name)))
        for kind, name in sorted(live.keys() | wanted.keys())
        if live.get((kind, name)) != wanted.get((kind, name))
    ]


def fingerprint(catalog: Catalog) -> str:
    """SHA-256 of a reading."""
    digest = hashlib.sha256()
    for (kind, name), definition in sorted(catalog.items()):
        digest.update(f"{kind}\0{name}\0{definition}\0".encode())
    return digest.hexdigest()


def listed(found: Iterable[Difference]) -> str:
    """Differences for people, one a line."""
    return "\n".join(f"  {difference}" for difference in found)


def _how(live: str, wanted: str) -> str:
    """The first line in which two definitions part."""
    for there, here in zip(live.splitlines(), wanted.splitlines(), strict=False):
        if there != here:
            return f"\n               live:   {there.strip()}\n               wanted: {here.strip()}"
    return "\n               one has more lines than the other"
