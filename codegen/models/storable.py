"""What a column can hold and Python's types go beyond: said to Pydantic, so that a model refuses what its table would.

An int has no end in Python and a column's has; a str may hold NUL and lone surrogates; a JSON value may hold anything that
Python can. None of it stands in a model's constraints, and PostgreSQL refuses all of it. Dates and moments are the other way
round: the column reaches further than Python reads.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Union, get_args, get_origin

import annotated_types
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

INTEGER = (-(2**31), 2**31 - 1)
BIGINT = (-(2**63), 2**63 - 1)

DEEPEST_JSON = 200
"""Levels of a JSON value. PostgreSQL reads some thousands, and Python's json module writes fewer than a thousand."""

Check = Callable[[Any], Any]
"""Gives the value back, or raises ValueError."""


def flatten(metadata: Iterable[Any]) -> Iterator[Any]:
    """Pydantic's metadata without its nesting: groups (Interval, Len) and fields inside Annotated are opened."""
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from flatten(item.metadata)
        elif isinstance(item, annotated_types.GroupedMetadata):
            yield from flatten(item)
        else:
            yield item


def integer_type(low: int | None, high: int | None) -> tuple[int, int]:
    """The range of the narrowest integer type that holds what bounds leave; without bounds that of `integer`."""
    wide = any(bound is not None and not INTEGER[0] <= bound <= INTEGER[1] for bound in (low, high))
    return BIGINT if wide else INTEGER


def guarded(schema: core_schema.CoreSchema, field: FieldInfo, *, array: bool) -> core_schema.CoreSchema:
    """The schema of a field, refusing besides what the field's column cannot hold."""
    check = _check(*_bare(field.annotation, list(flatten(field.metadata))), array=array)
    if check is None:
        return schema
    if schema["type"] == "default":
        return {**schema, "schema": _guarded(schema["schema"], check)}
    return _guarded(schema, check)


def _guarded(schema: core_schema.CoreSchema, check: Check) -> core_schema.CoreSchema:
    return core_schema.no_info_after_validator_function(lambda value: None if value is None else check(value), schema)


def _bare(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """The type without Annotated and None, and all the metadata around it. What is no `X | None` is the type map's to refuse."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return _bare(inner, [*metadata, *flatten(more)])
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return _bare(members[0], metadata)
    return annotation, metadata


def _check(bare: Any, metadata: list[Any], *, array: bool) -> Check | None:
    origin = get_origin(bare)
    if array and origin is list:
        element = _check(*_bare(get_args(bare)[0], []), array=False)
        return None if element is None else lambda values: [element(value) for value in values]
    if bare is int:
        low, high = integer_type(*_bounds(metadata))
        return lambda value: _within(value, low, high)
    if bare is str:
        return _text
    if bare is AwareDatetime:
        return _moment
    if bare is Any or origin in (dict, list) or bare in (dict, list) or (isinstance(bare, type) and issubclass(bare, BaseModel)):
        return _json
    return None


def _bounds(metadata: Iterable[Any]) -> tuple[int | None, int | None]:
    low = high = None
    for item in metadata:
        match item:
            case annotated_types.Ge(ge=int(bound)):
                low = bound
            case annotated_types.Gt(gt=int(bound)):
                low = bound + 1
            case annotated_types.Le(le=int(bound)):
                high = bound
            case annotated_types.Lt(lt=int(bound)):
                high = bound - 1
    return low, high


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"the column holds integers from {low} to {high}")
    return value


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("text in PostgreSQL holds no NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate is no character") from None
    return value


def _moment(value: datetime) -> datetime:
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it lies outside of the years 1 to 9999, and could not be read back") from None
    return value


def _json(value: Any) -> Any:
    _json_value(value, 1)
    return value


def _json_value(value: Any, level: int) -> None:
    if level > DEEPEST_JSON:
        raise ValueError(f"deeper than {DEEPEST_JSON} levels")
    match value:
        case None | bool():
            pass
        case str():
            _text(value)
        case int():
            # Python itself writes no integer of more than some thousand digits: a ValueError of its own.
            str(value)
        case BaseModel():
            _json_value(value.model_dump(), level)
        case float():
            if not math.isfinite(value):
                raise ValueError("JSON has no number that is not finite")
        case list():
            for item in value:
                _json_value(item, level + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ValueError("a key of JSON is a string")
                _text(key)
                _json_value(item, level + 1)
        case _:
            raise ValueError(f"a {type(value).__name__} is no JSON")
