"""Some rows of a layer, as PostgreSQL takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from workers.vector.wkb import Kinds

Values = list[Any]


@dataclass(frozen=True)
class Reject:
    """A row that cannot be used, and why."""

    row: int
    code: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Some rows: feature ids, WKB (None for no geometry), and a list of values for each column."""

    ids: list[int]
    geometries: Sequence[bytes | None]
    columns: list[Values]
    kinds: Kinds
    rejects: Sequence[Reject] = ()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Row by row: id, geometry, values."""
        return zip(self.ids, self.geometries, *self.columns, strict=True)
