"""Some rows of a layer, as PostgreSQL takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

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
    """Some rows: feature ids, WKB (null for no geometry), and the values of each column: as Arrow has them, or Python."""

    ids: pa.Array
    geometries: pa.Array
    columns: list[Values | pa.Array]
    kinds: Kinds
    rejects: Sequence[Reject] = ()
