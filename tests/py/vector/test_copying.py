"""What Arrow joins to rows is what psycopg would have written row by row."""

from __future__ import annotations

import datetime
import struct
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.types.json import Jsonb

from workers.geo_table import ColumnType
from workers.vector import arrow, copying, wkb
from workers.vector.alterations import Alterations
from workers.vector.batches import Batch

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
KINDS: dict[ColumnType, tuple[pa.DataType, str, st.SearchStrategy[Any]]] = {
    ColumnType.SMALLINT: (pa.int16(), "int2", st.integers(-(2**15), 2**15 - 1)),
    ColumnType.INTEGER: (pa.int32(), "int4", st.integers(-(2**31), 2**31 - 1)),
    ColumnType.BIGINT: (pa.int64(), "int8", st.integers(-(2**63), 2**63 - 1)),
    ColumnType.REAL: (pa.float32(), "float4", st.floats(width=32, allow_nan=False)),
    ColumnType.DOUBLE: (pa.float64(), "float8", st.floats(allow_nan=False)),
    ColumnType.BOOLEAN: (pa.bool_(), "bool", st.booleans()),
    ColumnType.DATE: (pa.date32(), "date", st.dates()),
    ColumnType.TEXT: (pa.string(), "text", TEXT),
    ColumnType.BYTEA: (pa.binary(), "bytea", st.binary(max_size=40)),
}
ROWS = st.lists(
    st.tuples(st.none() | st.binary(min_size=1, max_size=60), *(st.none() | values for _, _, values in KINDS.values())), max_size=12
)
OIDS = [psycopg.adapters.types[name].oid for _, name, _ in KINDS.values()]


def by_row(rows: list[tuple[Any, ...]], oids: list[int]) -> bytes:
    """As psycopg writes rows: each field by itself."""
    transformer, written = Transformer(), b""
    transformer.set_dumper_types([psycopg.adapters.types[name].oid for name in ("int8", "bytea")] + oids, Format.BINARY)
    for row in rows:
        written += struct.pack(">h", len(row))
        for field in transformer.dump_sequence(row, ()):
            written += struct.pack(">i", -1) if field is None else struct.pack(">i", len(field)) + field
    return written


def by_column(geometries: list[bytes | None], columns: list[Any], oids: list[int]) -> bytes:
    batch = Batch(pa.array(range(7, 7 + len(geometries)), pa.int64()), pa.array(geometries, pa.binary()), columns, wkb.Kinds())
    return b"".join(copying.pieces(batch, oids))


@given(ROWS, st.integers(0, 3))
def test_columns_of_arrow_are_joined_to_the_rows_that_psycopg_writes(rows: list[tuple[Any, ...]], skipped: int) -> None:
    expected = by_row([(number, *row) for number, row in enumerate(rows, start=7)], OIDS)[: None if rows else 0]
    geometries = [row[0] for row in rows]
    # A part of a longer column begins somewhere in its buffers.
    whole = [pa.array([None] * skipped + [row[place] for row in rows], type_) for place, (type_, _, _) in enumerate(KINDS.values(), 1)]
    altered = Alterations()
    columns: list[Any] = [arrow.values(one[skipped:], column_type, "c", altered) for one, column_type in zip(whole, KINDS, strict=True)]
    assert all(isinstance(column, pa.Array) for column in columns)
    assert altered.listed() == {}
    assert by_column(geometries, columns, OIDS) == expected
    assert by_column(geometries, [column.to_pylist() for column in columns], OIDS) == expected


def test_values_of_python_stand_beside_columns_of_arrow() -> None:
    oids = [psycopg.adapters.types["jsonb"].oid, psycopg.adapters.types["int4"].array_oid, psycopg.adapters.types["int4"].oid]
    columns = [[Jsonb({"a": 1}), None], [[1, 2], None], [3, 4]]
    rows = [(7, b"one", Jsonb({"a": 1}), [1, 2], 3), (8, None, None, None, 4)]
    assert by_column([b"one", None], [*columns[:2], pa.array([3, 4], pa.int32())], oids) == by_row(rows, oids)


@pytest.mark.parametrize(
    ("column", "type_", "kept", "altered"),
    [
        (pa.array(["a\x00b", "c"]), ColumnType.TEXT, ["ab", "c"], {"nul_removed": {"c": 1}}),
        (pa.array(["\x00a", "c"])[1:], ColumnType.TEXT, ["c"], {}),
        (pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xe9"]).buffers()), ColumnType.TEXT, ["é"], {"read_as_latin1": {"c": 1}}),
        (
            pa.array([3_000_000, 1], pa.int32()).cast(pa.date32()), ColumnType.DATE, [None, datetime.date(1970, 1, 2)],
            {"impossible_value": {"c": 1}},
        ),
    ],
)  # fmt: skip
def test_a_column_with_a_value_that_cannot_be_kept_is_looked_at_one_by_one(
    column: pa.Array, type_: ColumnType, kept: list[Any], altered: dict[str, Any]
) -> None:
    counted = Alterations()
    values = arrow.values(column, type_, "c", counted)
    assert (values.to_pylist() if isinstance(values, pa.Array) else values) == kept
    assert counted.listed() == altered
