"""The types of geometries, read from their WKB headers without parsing them.

Drivers hand out what they find: a layer of polygons may hold multipolygons, curves, or a Z that its type does not tell.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_NAMES = {
    1: "POINT", 2: "LINESTRING", 3: "POLYGON", 4: "MULTIPOINT", 5: "MULTILINESTRING", 6: "MULTIPOLYGON", 7: "GEOMETRYCOLLECTION",
    8: "LINESTRING", 9: "LINESTRING", 10: "POLYGON", 11: "MULTILINESTRING", 12: "MULTIPOLYGON",
    13: "LINESTRING", 14: "POLYGON", 15: "MULTIPOLYGON", 16: "MULTIPOLYGON", 17: "POLYGON",
}  # fmt: skip
"""By code; the curves among them (8 to 14) and the surfaces (15 to 17) under the name of what they are turned into."""
_CURVES = range(8, 15)
_FLAT = {15: 6, 16: 6, 17: 3}
"""What a surface is made of are polygons already."""
_COLLECTION = 7
_RINGED = (3, 17)
_HEADER = 5
_Z, _M = 0x80000000, 0x40000000


@dataclass(frozen=True)
class Kinds:
    """Which geometries there are."""

    types: frozenset[str] = frozenset()
    has_z: bool = False
    measured: int = 0
    curves: int = 0
    surfaces: int = 0

    def __or__(self, other: Kinds) -> Kinds:
        return Kinds(
            self.types | other.types,
            self.has_z or other.has_z,
            self.measured + other.measured,
            self.curves + other.curves,
            self.surfaces + other.surfaces,
        )


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
        surfaces=int(sum(count for code, count in zip(found, counts, strict=True) if int(code) in _FLAT)),
        curves=int(sum(count for code, count in zip(found, counts, strict=True) if int(code) in _CURVES)),
    )


def _codes(column: pa.Array) -> NDArray[np.uint32]:
    wide = column.cast(pa.large_binary())
    if wide.null_count:
        wide = wide.drop_null()
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


@dataclass(frozen=True)
class Element:
    """A geometry or a part of one: where its header is, its type, and its positions, if it has any of its own."""

    at: int
    base: int
    positions: list[NDArray[np.float64]]


def elements(data: bytes) -> Iterator[Element]:
    """A geometry and its parts, in the order in which they lie there; nothing for curves."""
    ahead, at = 1, 0
    while ahead:
        order = "<" if data[at] == 1 else ">"
        code, count = struct.unpack_from(f"{order}II", data, at + 1)
        base, dimensions = _shape(code)
        if base in _CURVES:
            return
        start, positions = at, []
        at += _HEADER + (0 if base == 1 else 4)
        if base not in (1, 2, *_RINGED):
            ahead += count
        for _ in range(count if base in _RINGED else int(base in (1, 2))):
            length = 1 if base == 1 else count
            if base in _RINGED:
                [length] = struct.unpack_from(f"{order}I", data, at)
                at += 4
            positions.append(np.frombuffer(data, f"{order}f8", length * dimensions, at).reshape(-1, dimensions))
            at += length * dimensions * 8
        yield Element(start, base, positions)
        ahead -= 1


def _shape(code: int) -> tuple[int, int]:
    """The type and the number of dimensions that a code says."""
    plain = code & 0x0FFFFFFF
    base, thousands = plain % 1000, plain // 1000
    has_z = code & _Z != 0 or thousands in (1, 3)
    has_m = code & _M != 0 or thousands in (2, 3)
    return base, 2 + has_z + has_m


def types(data: bytes) -> set[str]:
    """The type of a geometry; of a collection those of its parts."""
    [code] = struct.unpack_from("<I" if data[0] == 1 else ">I", data, 1)
    base, _ = _shape(code)
    bases = {base} if base != _COLLECTION else {one.base for one in elements(data)} - {base}
    return {_NAMES.get(one, "GEOMETRY") for one in bases}


def flattened(data: bytes) -> bytes:
    """The polygons of a polyhedral surface or a TIN as a multipolygon, and those of a triangle as a polygon."""
    patched = bytearray(data)
    for element in elements(data):
        order: Literal["little", "big"] = "little" if data[element.at] == 1 else "big"
        place = slice(element.at + 1, element.at + _HEADER)
        code = int.from_bytes(data[place], order) + _FLAT.get(element.base, element.base) - element.base
        patched[place] = code.to_bytes(4, order)
    return bytes(patched)


def extent(data: bytes) -> tuple[float, float, float, float] | None:
    """Least x and y, greatest x and y, without making a geometry of it; None where it has no positions, or curves."""
    boxes = [
        (*positions[:, :2].min(axis=0), *positions[:, :2].max(axis=0))
        for element in elements(data)
        for positions in element.positions
        if len(positions)
    ]
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return float(min(west)), float(min(south)), float(max(east)), float(max(north))


def point(x: float, y: float) -> bytes:
    """A point without height."""
    return struct.pack("<BIdd", 1, 1, x, y)
