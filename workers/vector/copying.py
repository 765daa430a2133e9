"""Batches in COPY's binary form, made by columns.

A field is the number of its bytes and the bytes. Columns that Arrow has are turned into fields as they lie there, by numpy;
for the others psycopg says what a value's bytes are. Arrow joins the fields to rows: no row is ever a Python object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg.adapt import Transformer
from psycopg.pq import Format

from workers.vector.batches import Batch, Values

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_PIECE = 256 * 1024
_NULL = -1
_DAYS_TO_2000 = 10_957
_FIXED: dict[pa.DataType, str] = {
    pa.int16(): ">i2", pa.int32(): ">i4", pa.int64(): ">i8", pa.float32(): ">f4", pa.float64(): ">f8", pa.date32(): ">i4", pa.bool_(): "u1",
}  # fmt: skip
"""Types whose values PostgreSQL takes as they are, in this byte order."""

_Part: TypeAlias = "NDArray[np.uint8] | pa.Array"
"""What each row gets next: as many bytes in every row, or bytes of any number."""


def pieces(batch: Batch, oids: Sequence[int]) -> Iterator[memoryview]:
    """The rows of a batch, between HEADER and TRAILER. `oids` are the types of its columns."""
    rows = len(batch.geometries)
    if rows == 0:
        return
    width = np.full(rows, 2 + len(oids), dtype=">i2")
    parts: list[_Part] = [_bytes(width), *_arrow(pa.array(batch.ids, pa.int64())), *_arrow(batch.geometries)]
    for column, oid in zip(batch.columns, oids, strict=True):
        parts += _arrow(column if isinstance(column, pa.Array) else _dumped(column, oid))
    # An empty separator is a part of its own kind: the rows are what is between.
    joined = pc.binary_join_element_wise(*_merged(parts), pa.scalar(b"", pa.large_binary()), null_handling="replace", null_replacement=b"")
    data = memoryview(joined.buffers()[2])
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


def _arrow(column: pa.Array) -> list[_Part]:
    """The fields of a column: of one width if no value is missing."""
    rows, missing = len(column), column.null_count
    if column.type not in _FIXED:
        values = column.cast(pa.large_binary())
        lengths = pc.fill_null(pc.binary_length(values), _NULL).to_numpy(zero_copy_only=False)
        return [_bytes(lengths.astype(">i4")), values]
    kind = np.dtype(_FIXED[column.type])
    known = column if not missing else pc.fill_null(column, pa.scalar(0, pa.int32()).cast(column.type))
    if column.type == pa.bool_():
        known = known.cast(pa.uint8())
    elif column.type == pa.date32():
        known = pc.subtract(known.cast(pa.int32()), _DAYS_TO_2000)
    values = _bytes(known.to_numpy(zero_copy_only=False).astype(kind))
    if not missing:
        return [_bytes(np.full(rows, kind.itemsize, dtype=">i4")), values]
    absent = column.is_null()
    lengths = np.where(absent.to_numpy(zero_copy_only=False), _NULL, kind.itemsize)
    return [_bytes(lengths.astype(">i4")), pc.if_else(absent, pa.scalar(None, pa.large_binary()), _array(values))]


def _dumped(values: Values, oid: int) -> pa.Array:
    """Values of Python as psycopg writes them."""
    transformer = Transformer()
    transformer.set_dumper_types([oid] * len(values), Format.BINARY)
    return pa.array(transformer.dump_sequence(values, ()), pa.large_binary())


def _bytes(numbers: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), -1)


def _merged(parts: list[_Part]) -> list[pa.Array]:
    """The parts as Arrow joins them, neighbours of fixed width in one."""
    merged: list[pa.Array] = []
    fixed: list[NDArray[np.uint8]] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            fixed.append(part)
            continue
        merged += [_array(np.hstack(fixed)), part]
        fixed = []
    return [*merged, *([_array(np.hstack(fixed))] if fixed else [])]


def _array(rows: NDArray[np.uint8]) -> pa.Array:
    """Rows of bytes, all of one width."""
    offsets = np.arange(len(rows) + 1, dtype=np.int64) * rows.shape[1]
    return pa.Array.from_buffers(pa.large_binary(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(rows))])
