"""Columns of Arrow as PostgreSQL takes them.

What a value cannot keep is counted by column, never dropped in silence: a NUL in a text, bytes that are not of the file's
encoding, a date that does not exist, a time without a zone (read as UTC).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from psycopg.types.json import Jsonb

from workers.geo_table import ColumnType
from workers.vector import widening
from workers.vector.alterations import IMPOSSIBLE_VALUE, NUL_REMOVED, READ_AS_LATIN1, ZONE_MISSING, Alterations
from workers.vector.batches import Values


def values(column: pa.Array, type_: ColumnType, name: str, altered: Alterations) -> Values:
    """The values of a column as one of this type takes them."""
    return _CONVERTERS.get(type_, _plain)(column, name, altered)


def _plain(column: pa.Array, name: str, altered: Alterations) -> Values:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        # A date or time that Python has no value for, e.g. of the year 20240.
        return [_or_none(one, name, altered) for one in column]


def _or_none(scalar: pa.Scalar, name: str, altered: Alterations) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        altered.add(IMPOSSIBLE_VALUE, name)
        return None


def _texts(column: pa.Array, name: str, altered: Alterations) -> Values:
    values = _decoded(column, name, altered)
    if any(value is not None and "\x00" in value for value in values):
        values = [_without_nul(value, name, altered) for value in values]
    return values


def _decoded(column: pa.Array, name: str, altered: Alterations) -> Values:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_text(value, name, altered) for value in column.cast(pa.binary()).to_pylist()]


def _text(value: bytes | None, name: str, altered: Alterations) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        altered.add(READ_AS_LATIN1, name)
        return value.decode("latin-1")


def _without_nul(value: str | None, name: str, altered: Alterations) -> str | None:
    if value is None or "\x00" not in value:
        return value
    altered.add(NUL_REMOVED, name)
    return value.replace("\x00", "")


def _text_lists(column: pa.Array, name: str, altered: Alterations) -> Values:
    return [
        None if values is None else [_without_nul(value, name, altered) for value in values] for values in _plain(column, name, altered)
    ]


def _times(column: pa.Array, name: str, altered: Alterations) -> Values:
    values = (
        column.to_pylist() if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) else _plain(column, name, altered)
    )
    return [value if value is None else _time(value, name, altered) for value in values]


def _time(value: str | datetime, name: str, altered: Alterations) -> datetime | None:
    if isinstance(value, str):
        return widening.moment(value, name, altered)
    if value.tzinfo is None:
        altered.add(ZONE_MISSING, name)
        return value.replace(tzinfo=UTC)
    return value


def _dates(column: pa.Array, name: str, altered: Alterations) -> Values:
    if not pa.types.is_string(column.type):
        return _plain(column, name, altered)
    return [None if value is None else widening.day(value, name, altered) for value in column.to_pylist()]


def _documents(column: pa.Array, name: str, altered: Alterations) -> Values:
    plain = column.storage if isinstance(column, pa.ExtensionArray) else column
    return [None if value is None else Jsonb(_document(value, name, altered)) for value in _decoded(plain, name, altered)]


def _document(value: str, name: str, altered: Alterations) -> Any:
    """GDAL hands out a column of mixed values as JSON, but the strings in it bare."""
    try:
        return widening.document(json.loads(value, parse_constant=_refuse_constant, parse_float=_finite), name, altered)
    except (ValueError, RecursionError):
        return widening.document(value, name, altered)


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond a float")
    return number


_CONVERTERS: dict[ColumnType, Callable[[pa.Array, str, Alterations], Values]] = {
    ColumnType.TEXT: _texts,
    ColumnType.TEXTS: _text_lists,
    ColumnType.DATE: _dates,
    ColumnType.TIMESTAMPTZ: _times,
    ColumnType.JSONB: _documents,
}
