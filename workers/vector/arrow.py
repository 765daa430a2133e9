"""Columns of Arrow as PostgreSQL takes them.

What a value cannot keep is counted by column, never dropped in silence: a NUL in a text, bytes that are not of the file's
encoding, a date that does not exist, a time without a zone (read as UTC). A column that keeps all of its values stays Arrow's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.types.json import Jsonb

from workers.geo_table import ColumnType
from workers.vector import widening
from workers.vector.alterations import IMPOSSIBLE_VALUE, NUL_REMOVED, READ_AS_LATIN1, ZONE_MISSING, Alterations
from workers.vector.batches import Values

_FIRST_DAY, _LAST_DAY = (one.toordinal() - date(1970, 1, 1).toordinal() for one in (date.min, date.max))
_AS_THEY_ARE: dict[ColumnType, tuple[pa.DataType, ...]] = {
    ColumnType.SMALLINT: (pa.int16(),),
    ColumnType.INTEGER: (pa.int32(),),
    ColumnType.BIGINT: (pa.int64(),),
    ColumnType.REAL: (pa.float32(),),
    ColumnType.DOUBLE: (pa.float64(),),
    ColumnType.BOOLEAN: (pa.bool_(),),
    ColumnType.DATE: (pa.date32(),),
    ColumnType.TEXT: (pa.string(), pa.large_string()),
    ColumnType.BYTEA: (pa.binary(), pa.large_binary()),
}
"""Types of Arrow whose values a column takes without being looked at one by one."""


def values(column: pa.Array, type_: ColumnType, name: str, altered: Alterations) -> Values | pa.Array:
    """The values of a column as one of this type takes them."""
    if column.type in _AS_THEY_ARE.get(type_, ()) and _is_sound(column, type_):
        return column
    return _CONVERTERS.get(type_, _plain)(column, name, altered)


def _is_sound(column: pa.Array, type_: ColumnType) -> bool:
    """Whether each value can be kept: text is UTF-8 without NUL, a date of a year that Python has, too."""
    if type_ is ColumnType.DATE:
        bounds = pc.min_max(column.cast(pa.int32())).as_py()
        return bounds["min"] is None or (bounds["min"] >= _FIRST_DAY and bounds["max"] <= _LAST_DAY)
    if type_ is ColumnType.TEXT:
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            return False
        # As Arrow sees it, a NUL is a character like others.
        data = column.buffers()[2]
        return data is None or bool(np.frombuffer(data, np.uint8).all()) or not pc.any(pc.match_substring(column, "\x00")).as_py()
    return True


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
