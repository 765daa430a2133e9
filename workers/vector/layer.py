"""What a layer holds: columns and their types, geometries, number of features, CRS, the encoding of its text."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.geo_table import SourceColumn
from workers.vector.wkb import Kinds


@dataclass(frozen=True)
class Place:
    """Where in a file features begin, how many are before it, and the byte where that is what finds it again."""

    features: int
    offset: int | None


@dataclass(frozen=True)
class Layer:
    """One layer of a dataset."""

    name: str
    columns: list[SourceColumn]
    kinds: Kinds
    features: int | None
    """None where only reading it would tell."""
    records: int
    """Features, counting deleted ones: ids of a shapefile are below it."""
    crs: str | None
    crs_is_default: bool
    encoding: str | None
    """To read text with, where the file does not say; None where it does."""
    fid_column: str
    others: list[str] = field(default_factory=list)
    """Layers without geometry beside it."""
    places: list[Place] = field(default_factory=list)
    """Where in the file to go on reading."""
    reading: dict[str, str] = field(default_factory=dict)
    """How the file is read, where that had to be found out."""
