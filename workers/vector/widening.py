"""The type of a column whose source has none: what holds every value, and no more.

Integers become integer, bigint or numeric by the widest; with fractions double precision, or numeric where an integer is
beyond what a double holds exactly. Texts that are all dates, or all times, become those; a column of lists an array of
what they all hold. Scalars of several kinds become text as they were written; with objects or lists among them, jsonb.
An impossible day (2024-02-30) looks like a date: it becomes NULL, and is counted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from workers.geo_table import ColumnType
from workers.vector.alterations import (
    BROKEN_CHARACTER,
    IMPOSSIBLE_VALUE,
    NUL_REMOVED,
    ZONE_MISSING,
    Alterations,
)  # fmt: skip

Values = list[Any]

_EXACT = 2**53
_DOUBLE_DIGITS = 17
_DAY = r"[0-9]{4}[-/](?:0[1-9]|1[0-2])[-/](?:0[1-9]|[12][0-9]|3[01])"
_TIME = rf"{_DAY}[T ](?:[01][0-9]|2[0-4]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?|:60)?(?:Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?"
_MOMENT = re.compile(rf"(?P<date>{_DAY})|(?P<time>{_TIME})", re.ASCII)
_WRITTEN = re.compile(
    r"(?P<bool>true|false|TRUE|FALSE|True|False)|(?P<int>-?(?:0|[1-9][0-9]*))|(?P<float>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)"
    rf"|(?P<date>{_DAY})|(?P<time>{_TIME})",
    re.ASCII,
)
_KINDS = {bool: "bool", int: "int", float: "float", dict: "object", list: "list"}
_ALIKE = ({"bool"}, {"int", "float"}, {"text", "date", "time"})
_ARRAYS = {
    ColumnType.BOOLEAN: ColumnType.BOOLEANS, ColumnType.INTEGER: ColumnType.INTEGERS, ColumnType.BIGINT: ColumnType.BIGINTS,
    ColumnType.DOUBLE: ColumnType.DOUBLES, ColumnType.TEXT: ColumnType.TEXTS, ColumnType.DATE: ColumnType.TEXTS,
    ColumnType.TIMESTAMPTZ: ColumnType.TEXTS,
}  # fmt: skip


class Seen:
    """What the values of one column were, so far."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()
        self._least = self._greatest = 0
        self._items: Seen | None = None
        self._mixed_items = False

    def add(self, values: Sequence[Any]) -> None:
        """Values of JSON: None, booleans, numbers, texts, lists, objects."""
        for type_ in set(map(type, values)):
            if type_ is str:
                self._add_texts(values)
            elif type_ is not type(None):
                self._kinds.add(_KINDS[type_])
                if type_ is int:
                    self._add_integers([value for value in values if type(value) is int])
                elif type_ is list:
                    self._add_lists([value for value in values if type(value) is list])

    def add_written(self, values: Sequence[str]) -> None:
        """Values of a file that has only texts; an empty one is none."""
        if "text" in self._kinds:
            return
        for value in values:
            if value == "":
                continue
            match = _WRITTEN.fullmatch(value)
            kind = (match.lastgroup if match else None) or "text"
            if kind == "float" and (sum(map(str.isdigit, value.lower().split("e")[0])) > _DOUBLE_DIGITS or not math.isfinite(float(value))):
                kind = "decimal"
            self._kinds.add(kind)
            if kind == "text":
                return
            if kind == "int":
                self._add_integers([int(value)] if len(value) < 100 else [2**64])

    @property
    def type(self) -> ColumnType:
        """The narrowest type that holds them all."""
        kinds = self._kinds
        if not kinds or kinds == {"text"}:
            return ColumnType.TEXT
        if kinds <= {"int", "float", "decimal"}:
            return self._number()
        if len(kinds) == 1:
            [kind] = kinds
            if kind == "list" and not self._mixed_items and self._items is not None:
                return _ARRAYS.get(self._items.type, ColumnType.JSONB)
            return {"bool": ColumnType.BOOLEAN, "date": ColumnType.DATE, "time": ColumnType.TIMESTAMPTZ}.get(kind, ColumnType.JSONB)
        return ColumnType.JSONB if kinds & {"list", "object"} else ColumnType.TEXT

    def _number(self) -> ColumnType:
        least, greatest = self._least, self._greatest
        if "decimal" in self._kinds:
            return ColumnType.NUMERIC
        if "float" in self._kinds:
            return ColumnType.DOUBLE if least >= -_EXACT and greatest <= _EXACT else ColumnType.NUMERIC
        if least >= -(2**31) and greatest < 2**31:
            return ColumnType.INTEGER
        return ColumnType.BIGINT if least >= -(2**63) and greatest < 2**63 else ColumnType.NUMERIC

    def _add_integers(self, values: Sequence[int]) -> None:
        self._least, self._greatest = min(self._least, *values), max(self._greatest, *values)

    def _add_texts(self, values: Sequence[Any]) -> None:
        if "text" in self._kinds:
            return
        for value in values:
            if type(value) is str:
                match = _MOMENT.fullmatch(value)
                self._kinds.add((match.lastgroup if match else None) or "text")
                if match is None:
                    return

    def _add_lists(self, lists: Sequence[list[Any]]) -> None:
        self._items = self._items or Seen()
        self._items.add([item for one in lists for item in one])
        kinds = self._items._kinds
        self._mixed_items = not kinds or not any(kinds <= alike for alike in _ALIKE)


def convert(values: Sequence[Any], type_: ColumnType, name: str, altered: Alterations) -> Values:
    """Values of JSON as a column of this type takes them."""
    if type_ in _CAREFUL:
        careful = _CAREFUL[type_]
        return [None if value is None else careful(value, name, altered) for value in values]
    plain = _PLAIN.get(type_)
    return list(values) if plain is None else [None if value is None else plain(value) for value in values]


def convert_written(values: Sequence[str], type_: ColumnType, name: str, altered: Alterations) -> Values:
    """Values of a file that has only texts, as a column of this type takes them."""
    if type_ in _FROM_TEXT:
        read = _FROM_TEXT[type_]
        return [None if value == "" else read(value) for value in values]
    careful = _CAREFUL[type_]
    return [None if value == "" else careful(value, name, altered) for value in values]


def text(value: str, name: str, altered: Alterations) -> str:
    """A text without what PostgreSQL has no place for."""
    if "\x00" in value:
        altered.add(NUL_REMOVED, name)
        value = value.replace("\x00", "")
    try:
        value.encode()
    except UnicodeEncodeError:
        altered.add(BROKEN_CHARACTER, name)
        value = value.encode("utf-8", "replace").decode()
    return value


def day(value: str, name: str, altered: Alterations) -> date | None:
    """A date; None, counted, for one that does not exist."""
    try:
        return date.fromisoformat(value.replace("/", "-"))
    except ValueError:
        altered.add(IMPOSSIBLE_VALUE, name)
        return None


def moment(value: str, name: str, altered: Alterations) -> datetime | None:
    """A time; without a zone it is read as UTC, counted; None, counted, for one that does not exist."""
    try:
        time = datetime.fromisoformat(value.replace("/", "-"))
    except ValueError:
        altered.add(IMPOSSIBLE_VALUE, name)
        return None
    if time.tzinfo is None:
        altered.add(ZONE_MISSING, name)
        return time.replace(tzinfo=UTC)
    return time


def document(value: Any, name: str, altered: Alterations) -> Any:
    """A value of JSON that PostgreSQL takes as jsonb."""
    if isinstance(value, str):
        return text(value, name, altered)
    if isinstance(value, list):
        return [document(item, name, altered) for item in value]
    if isinstance(value, dict):
        return {text(key, name, altered): document(item, name, altered) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        altered.add(IMPOSSIBLE_VALUE, name)
        return None
    return value


def _as_text(value: Any, name: str, altered: Alterations) -> str:
    return text(value if isinstance(value, str) else json.dumps(value), name, altered)


def _number(value: int | float) -> Decimal:
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def _doubles(values: list[Any]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


def _texts(values: list[Any], name: str, altered: Alterations) -> list[str | None]:
    return [None if value is None else text(value, name, altered) for value in values]


def _json(value: Any, name: str, altered: Alterations) -> Jsonb:
    return Jsonb(document(value, name, altered))


_PLAIN: dict[ColumnType, Callable[[Any], Any]] = {ColumnType.NUMERIC: _number, ColumnType.DOUBLE: float, ColumnType.DOUBLES: _doubles}
"""What a value of JSON becomes; those of other types are as they should be."""
_CAREFUL: dict[ColumnType, Callable[[Any, str, Alterations], Any]] = {
    ColumnType.TEXT: _as_text,
    ColumnType.DATE: day,
    ColumnType.TIMESTAMPTZ: moment,
    ColumnType.JSONB: _json,
    ColumnType.TEXTS: _texts,
}
"""Where a value may have to be altered."""
_FROM_TEXT: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.BOOLEAN: lambda value: value.lower() == "true",
    ColumnType.INTEGER: int,
    ColumnType.BIGINT: int,
    ColumnType.NUMERIC: Decimal,
    ColumnType.DOUBLE: float,
}
