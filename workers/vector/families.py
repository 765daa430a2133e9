"""A layer split into a table each for points, lines and polygons: which of them a geometry is for.

Every feature goes to one of the tables: to that of what its geometry is, or of what all parts of a collection are. Where
there is no such table (a collection of both, no geometry, one that cannot be read), it goes to the first, which says what
becomes of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from codegen.messages.vector import Family
from workers.vector import wkb
from workers.vector.batches import Batch
from workers.vector.wkb import Kinds

SPLIT = "split"
_TYPES: dict[Family, frozenset[str]] = {
    "points": frozenset({"POINT", "MULTIPOINT"}),
    "lines": frozenset({"LINESTRING", "MULTILINESTRING"}),
    "polygons": frozenset({"POLYGON", "MULTIPOLYGON"}),
}
_SURFACES: Family = "polygons"
"""The family of what surfaces have been turned into by the time that rows are sorted."""
_OF_TYPE = {type_: family for family, types in _TYPES.items() for type_ in types}


def occurring(kinds: Kinds) -> list[Family]:
    """The families that there are, in order."""
    return [family for family, types in _TYPES.items() if types & kinds.types]


def of(kinds: Kinds, family: Family) -> Kinds:
    """The kinds of a family; all of them where there are collections, for of points alone one makes a multipoint."""
    return replace(kinds, types=_TYPES[family] if beyond(kinds) else kinds.types & _TYPES[family])


def beyond(kinds: Kinds) -> list[str]:
    """Types of no family."""
    return sorted(kinds.types - set(_OF_TYPE))


def sort(batch: Batch, families: Sequence[Family | None]) -> Iterator[tuple[int, Batch]]:
    """The rows for each table of a layer, by the table's position; all of them where the layer was not split."""
    if families == [None]:
        yield 0, batch
        return
    positions = {family: position for position, family in enumerate(families)}
    sorted_: list[list[int]] = [[] for _ in families]
    for row, geometry in enumerate(batch.geometries.to_pylist()):
        sorted_[positions.get(family_of(geometry), 0)].append(row)
    for position, rows in enumerate(sorted_):
        if rows:
            yield position, _only(batch, rows, batch.kinds.surfaces if families[position] == _SURFACES else 0)


def family_of(geometry: bytes | None) -> Family | None:
    """What a geometry is, or all parts of a collection are; None where it is neither, or cannot be told."""
    try:
        types = set() if geometry is None else wkb.types(geometry)
    except (struct.error, IndexError, ValueError):
        return None  # PostgreSQL says what is wrong with it
    found = {_OF_TYPE.get(type_) for type_ in types}
    return found.pop() if len(found) == 1 else None


def _only(batch: Batch, rows: list[int], surfaces: int) -> Batch:
    geometries, ids = batch.geometries.take(rows), batch.ids.take(rows)
    rejected = {reject.row: reject for reject in batch.rejects}
    return Batch(
        ids=ids,
        geometries=geometries,
        columns=[column.take(rows) if isinstance(column, pa.Array) else [column[row] for row in rows] for column in batch.columns],
        kinds=replace(wkb.kinds(geometries), surfaces=surfaces),
        rejects=[rejected[one] for one in ids.to_pylist() if one in rejected],
    )
