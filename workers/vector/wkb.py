"""The types of geometries, read from their WKB headers without parsing them.

Drivers hand out what they find: a layer of polygons may hold multipolygons, curves, or a Z that its type does not tell.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_NAMES = {
    1: "POINT", 2: "LINESTRING", 3: "POLYGON", 4: "MULTIPOINT", 5: "MULTILINESTRING", 6: "MULTIPOLYGON", 7: "GEOMETRYCOLLECTION",
    8: "LINESTRING", 9: "LINESTRING", 10: "POLYGON", 11: "MULTILINESTRING", 12: "MULTIPOLYGON",
    13: "LINESTRING", 14: "POLYGON", 15: "POLYHEDRALSURFACE", 16: "TIN", 17: "TRIANGLE",
}  # fmt: skip
"""By code; the curves among them (8 to 14) under the name of what they are linearised to."""
_CURVES = range(8, 15)
_HEADER = 5
_Z, _M = 0x80000000, 0x40000000


@dataclass(frozen=True)
class Kinds:
    """Which geometries there are."""

    types: frozenset[str] = frozenset()
    has_z: bool = False
    measured: int = 0
    curves: int = 0

    def __or__(self, other: Kinds) -> Kinds:
        return Kinds(self.types | other.types, self.has_z or other.has_z, self.measured + other.measured, self.curves + other.curves)


def kinds(column: pa.Array) -> Kinds:
    """The kinds of the geometries in an Arrow column of WKB; nulls, and what is too short to be WKB, are left out."""
    codes = _codes(column)
    if not len(codes):
        return Kinds()
    plain = codes & 0x0FFFFFFF
    base, dimension = plain % 1000, plain // 1000
    found, counts = np.unique(base, return_counts=True)
    return Kinds(
        types=frozenset(_NAMES.get(int(code), "GEOMETRY") for code in found),
        has_z=bool(np.any((codes & _Z != 0) | (dimension == 1) | (dimension == 3))),
        measured=int(np.count_nonzero((codes & _M != 0) | (dimension == 2) | (dimension == 3))),
        curves=int(sum(count for code, count in zip(found, counts, strict=True) if int(code) in _CURVES)),
    )


def _codes(column: pa.Array) -> NDArray[np.uint32]:
    wide = column.cast(pa.large_binary()).drop_null()
    _, offsets_buffer, data_buffer = wide.buffers()
    if data_buffer is None or len(wide) == 0:
        return np.empty(0, dtype=np.uint32)
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[wide.offset : wide.offset + len(wide) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8)
    starts = offsets[:-1][np.diff(offsets) >= _HEADER]
    headers = data[starts[:, np.newaxis] + np.arange(_HEADER)]
    little = headers[:, 1:].copy().view("<u4").ravel()
    big = headers[:, 1:].copy().view(">u4").ravel()
    codes: NDArray[np.uint32] = np.where(headers[:, 0] == 1, little, big).astype(np.uint32)
    return codes


def point(x: float, y: float) -> bytes:
    """A point without height."""
    return struct.pack("<BIdd", 1, 1, x, y)
