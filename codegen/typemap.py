"""What a Pydantic type becomes in PostgreSQL: a column type, whether it may be NULL, and the checks that say the rest.

The rule is parity: what the model refuses, the column refuses. A type or a constraint that SQL cannot say as exactly is
refused here, with the model, the field and a remedy; nothing is dropped in silence.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import annotated_types
from psycopg import sql
from pydantic import AllowInfNan, AwareDatetime, BaseModel, Strict

from codegen.models.base import Column as ColumnOptions
from codegen.models.enums import Status
from codegen.models.storable import BIGINT, flatten, integer_type
from codegen.patterns import to_postgres
from codegen.quoting import literal, name, text
from codegen.refusal import RefusedError

LONGEST_VARCHAR = 10485760
MOST_DIGITS = 1000
"""Of a numeric with a precision."""

# CASE, because AND promises no order, and jsonb_array_length raises on what is no array.
_JSON_LENGTH = sql.SQL("CASE WHEN jsonb_typeof({0}) = 'array' THEN jsonb_array_length({0}) {1} {2} END")


@dataclass
class Constraints:
    """The constraints of one type, from every place that Pydantic keeps them in."""

    lower: tuple[str, Any] | None = None
    """Operator (>= or >) and bound."""
    upper: tuple[str, Any] | None = None
    multiple_of: Any = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    max_digits: int | None = None
    decimal_places: int | None = None
    nullable: bool = False

    def used(self) -> set[str]:
        """Names of the constraints that are there."""
        return {key for key, value in vars(self).items() if value is not None and key != "nullable"}


@dataclass(frozen=True)
class SqlType:
    """A column type. Checks are (suffix, expression): the constraint's name is made of table, column and suffix."""

    name: sql.Composable
    nullable: bool = False
    checks: tuple[tuple[str, sql.Composable], ...] = field(default=())
    status: type[Status] | None = None
    is_timestamp: bool = False


def sql_type(
    annotation: Any, metadata: Iterable[Any], *, column: str, where: str, array: bool = False, enums: Mapping[type[Enum], tuple[str, str]]
) -> SqlType:
    """The SQL type of a field. `enums` names the enum types: class to (schema, name)."""
    found = Constraints()
    bare = _unwrap(annotation, list(metadata), found, where)
    it = name(column)
    origin = get_origin(bare)

    if array:
        return _array(bare, found, it, where)
    if bare is bool:
        return _plain("boolean", found, where)
    if bare is int:
        return _integer(found, it, where)
    if bare is float:
        return _float(found, it, where)
    if bare is str:
        return _string(found, it, where)
    if bare is AwareDatetime:
        return _plain("timestamptz", found, where, is_timestamp=True)
    if bare is date:
        return _plain("date", found, where)
    if bare is UUID:
        return _plain("uuid", found, where)
    if bare is Decimal:
        return _decimal(found, it, where)
    if bare is Any:
        return _plain("jsonb", found, where)
    if isinstance(bare, type) and issubclass(bare, Enum):
        return _enum(bare, found, enums, where)
    if origin is Literal:
        return _literal(bare, found, it, where)
    if bare is dict or origin is dict or (isinstance(bare, type) and issubclass(bare, BaseModel)):
        _refuse_no_json(bare, where, ())
        return _json("object", found, it, where)
    if bare is list or origin is list:
        _refuse_no_json(bare, where, ())
        return _json("array", found, it, where)
    raise RefusedError(where, f"no SQL type is known for {bare!r}", _remedy_for_type(bare))


def _unwrap(annotation: Any, metadata: list[Any], found: Constraints, where: str) -> Any:
    _collect(metadata, found, where)
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        if any(isinstance(item, ColumnOptions) for item in more):
            raise RefusedError(where, "its Column(...) is hidden inside the type", "annotate the whole: Annotated[X | None, Column(...)]")
        return _unwrap(inner, more, found, where)
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) != 1:
            raise RefusedError(where, f"{annotation!r} is a union", "only `X | None` has an SQL type: choose one type, or two fields")
        found.nullable = True
        return _unwrap(members[0], [], found, where)
    return annotation


def _collect(metadata: list[Any], found: Constraints, where: str) -> None:
    for item in flatten(metadata):
        match item:
            case ColumnOptions() | Strict(strict=True) | AllowInfNan(allow_inf_nan=False):
                pass
            case annotated_types.Ge(ge=bound):
                _once(found, "lower", (">=", bound), where)
            case annotated_types.Gt(gt=bound):
                _once(found, "lower", (">", bound), where)
            case annotated_types.Le(le=bound):
                _once(found, "upper", ("<=", bound), where)
            case annotated_types.Lt(lt=bound):
                _once(found, "upper", ("<", bound), where)
            case annotated_types.MultipleOf(multiple_of=factor):
                _once(found, "multiple_of", factor, where)
            case annotated_types.MinLen(min_length=length):
                _once(found, "min_length", length, where)
            case annotated_types.MaxLen(max_length=length):
                _once(found, "max_length", length, where)
            case _:
                _collect_general(item, found, where)


def _once(found: Constraints, constraint: str, value: Any, where: str) -> None:
    """Pydantic checks a constraint that is given twice twice; a column has one."""
    if getattr(found, constraint) is not None:
        raise RefusedError(
            where, f"{constraint} is given twice, {getattr(found, constraint)!r} and {value!r}", "give the tighter one alone"
        )
    setattr(found, constraint, value)


def _collect_general(item: Any, found: Constraints, where: str) -> None:
    """Pydantic's own metadata: an object whose attributes are Field's arguments."""
    known = {"pattern", "max_digits", "decimal_places"}
    arguments = vars(item) if hasattr(item, "__dict__") else {}
    if type(item).__name__ != "_PydanticGeneralMetadata" or not arguments:
        raise RefusedError(
            where,
            f"the constraint or validator {item!r} has no SQL equivalent",
            "say it with ge, gt, le, lt, multiple_of, min_length or pattern, or as a Check",
        )
    for key, value in arguments.items():
        if (key == "strict" and value is True) or (key == "allow_inf_nan" and value is False):
            continue
        if key not in known:
            raise RefusedError(
                where, f"the constraint {key}={value!r} has no SQL equivalent", "leave it out, or say it as a Check of the table"
            )
        _once(found, key, value, where)


def _allow(found: Constraints, allowed: set[str], kind: str, where: str) -> None:
    surplus = sorted(found.used() - allowed)
    if surplus:
        raise RefusedError(where, f"{', '.join(surplus)} cannot be checked on {kind}", "leave it out, or say it as a Check of the table")


def _plain(sql_name: str, found: Constraints, where: str, *, is_timestamp: bool = False) -> SqlType:
    _allow(found, set(), sql_name, where)
    return SqlType(_bare(sql_name), found.nullable, is_timestamp=is_timestamp)


def _bare(sql_name: str) -> sql.Composable:
    return sql.SQL("{}").format(sql.SQL(sql_name))


def _bounds(found: Constraints, it: sql.Composable) -> list[sql.Composable]:
    parts = [(operator, bound) for operator, bound in filter(None, (found.lower, found.upper))]
    return [sql.SQL("{} {} {}").format(it, sql.SQL(operator), literal(bound)) for operator, bound in parts]


def _joined(parts: list[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(parts)


def integer_range(found: Constraints, where: str) -> tuple[int | None, int | None]:
    """The smallest and the largest integer that the constraints leave."""
    low = high = None
    if found.lower:
        operator, bound = found.lower
        _whole(bound, where)
        low = bound + (operator == ">")
    if found.upper:
        operator, bound = found.upper
        _whole(bound, where)
        high = bound - (operator == "<")
    return low, high


def _whole(bound: Any, where: str) -> None:
    _typed(bound, (int,), "an integer", where)


def _typed(bound: Any, allowed: tuple[type, ...], kind: str, where: str) -> None:
    """A bound is of the kind that it bounds: another is compared otherwise in Python than in SQL."""
    endless = isinstance(bound, float | Decimal) and not math.isfinite(bound)
    if endless or isinstance(bound, bool) or not isinstance(bound, allowed):
        names = " or ".join(each.__name__ for each in allowed)
        raise RefusedError(where, f"the bound {bound!r} of {kind} is no {names}", f"give a finite {names}")


def _bounds_typed(found: Constraints, allowed: tuple[type, ...], kind: str, where: str) -> None:
    for _, bound in filter(None, (found.lower, found.upper)):
        _typed(bound, allowed, kind, where)


def _integer(found: Constraints, it: sql.Composable, where: str) -> SqlType:
    _allow(found, {"lower", "upper", "multiple_of"}, "an integer", where)
    sql_name, tighter = _integer_bounds(found, where)
    checks: list[tuple[str, sql.Composable]] = []
    if bounds := _bounds(tighter, it):
        checks.append(("check", _joined(bounds)))
    if found.multiple_of is not None:
        _whole(found.multiple_of, where)
        checks.append(("multiple_check", sql.SQL("{} % {} = 0").format(it, literal(found.multiple_of))))
    return SqlType(_bare(sql_name), found.nullable, tuple(checks))


def _integer_bounds(found: Constraints, where: str) -> tuple[str, Constraints]:
    """The narrowest type, and the bounds that it does not say itself."""
    low, high = integer_range(found, where)
    if any(bound is not None and not BIGINT[0] <= bound <= BIGINT[1] for bound in (low, high)):
        raise RefusedError(where, "its bounds exceed bigint", "bound it to 64 bits, or use Decimal")
    type_low, type_high = integer_type(low, high)
    if (type_low if low is None else low) > (type_high if high is None else high):
        raise RefusedError(where, "no integer lies within its bounds", "exchange them")
    tighter = Constraints(lower=found.lower if low != type_low else None, upper=found.upper if high != type_high else None)
    return "bigint" if (type_low, type_high) == BIGINT else "integer", tighter


def _float(found: Constraints, it: sql.Composable, where: str) -> SqlType:
    _allow(found, {"lower", "upper"}, "a float (its remainder is inexact)", where)
    return SqlType(_bare("double precision"), found.nullable, (("check", _joined(_bounds(_finite(found, where), it))),))


def _finite(found: Constraints, where: str) -> Constraints:
    _bounds_typed(found, (int, float), "a float", where)
    # NaN sorts above everything in PostgreSQL: an upper bound refuses it and infinity alike.
    return Constraints(lower=found.lower or (">", "-Infinity"), upper=found.upper or ("<", "Infinity"))


def _decimal(found: Constraints, it: sql.Composable, where: str) -> SqlType:
    _allow(found, {"lower", "upper", "max_digits", "decimal_places"}, "a decimal", where)
    if found.max_digits is None or found.decimal_places is None:
        raise RefusedError(where, "a Decimal without max_digits and decimal_places", "give both: they make numeric(p, s)")
    # As many places as digits: Pydantic would count the 0 before the point, and refuse 0 itself.
    if not 0 <= found.decimal_places < found.max_digits <= MOST_DIGITS:
        why = f"numeric({found.max_digits}, {found.decimal_places})"
        raise RefusedError(where, why, f"use at most {MOST_DIGITS} digits, and more of them than decimal_places")
    _bounds_typed(found, (int, Decimal), "a decimal", where)
    checks = [("check", _joined(bounds))] if (bounds := _bounds(found, it)) else []
    # numeric(p, s) rounds what has more places; NaN is none of Pydantic's decimals.
    checks.append(("number_check", sql.SQL("{} <> 'NaN'").format(it)))
    numeric = sql.SQL("numeric({}, {})").format(literal(found.max_digits), literal(found.decimal_places))
    return SqlType(numeric, found.nullable, tuple(checks))


def _string(found: Constraints, it: sql.Composable, where: str) -> SqlType:
    _allow(found, {"min_length", "max_length", "pattern"}, "text", where)
    if found.max_length is not None and not 1 <= found.max_length <= LONGEST_VARCHAR:
        raise RefusedError(where, f"max_length={found.max_length} is no length of a varchar", f"use 1 to {LONGEST_VARCHAR}")
    _lengths(found, where)
    sql_name = _bare("text") if found.max_length is None else sql.SQL("varchar({})").format(literal(found.max_length))
    checks: list[tuple[str, sql.Composable]] = []
    if found.min_length:
        checks.append(("length_check", sql.SQL("char_length({}) >= {}").format(it, literal(found.min_length))))
    if found.pattern is not None:
        checks.append(("check", sql.SQL("{} ~ {}").format(it, text(to_postgres(found.pattern, where)))))
    return SqlType(sql_name, found.nullable, tuple(checks))


def _lengths(found: Constraints, where: str) -> None:
    if (found.min_length or 0) < 0 or (found.max_length is not None and found.max_length < (found.min_length or 0)):
        raise RefusedError(where, f"no length lies within {found.min_length} and {found.max_length}", "exchange them")


def _enum(bare: type[Enum], found: Constraints, enums: Mapping[type[Enum], tuple[str, str]], where: str) -> SqlType:
    _allow(found, set(), "an enum", where)
    if bare not in enums:
        raise RefusedError(
            where, f"the enum {bare.__name__} has no SQL type", "add it to codegen.models.enums.ENUMS, in the table's schema"
        )
    status = bare if issubclass(bare, Status) else None
    return SqlType(name(*enums[bare]), found.nullable, status=status)


def _literal(bare: Any, found: Constraints, it: sql.Composable, where: str) -> SqlType:
    _allow(found, set(), "a Literal", where)
    values = get_args(bare)
    if not all(isinstance(value, str) for value in values):
        raise RefusedError(where, "a Literal of other things than strings", "use strings, or bounds on an int")
    listed = sql.SQL(", ").join([text(value) for value in values])
    return SqlType(_bare("text"), found.nullable, (("check", sql.SQL("{} IN ({})").format(it, listed)),))


def _json(shape: str, found: Constraints, it: sql.Composable, where: str) -> SqlType:
    _allow(found, {"min_length", "max_length"} if shape == "array" else set(), f"a json {shape}", where)
    _lengths(found, where)
    checks: list[tuple[str, sql.Composable]] = [("check", sql.SQL("jsonb_typeof({}) = {}").format(it, text(shape)))]
    lengths = [(">=", found.min_length), ("<=", found.max_length)]
    checks += [
        (suffix, _JSON_LENGTH.format(it, sql.SQL(operator), literal(length)))
        for (operator, length), suffix in zip(lengths, ("length_check", "size_check"), strict=True)
        if length is not None
    ]
    return SqlType(_bare("jsonb"), found.nullable, tuple(checks))


def _array(bare: Any, found: Constraints, it: sql.Composable, where: str) -> SqlType:
    if get_origin(bare) is not list:
        raise RefusedError(where, "Column(array=True) on what is no list", "use list[int], list[float], list[str] or list[bool]")
    _allow(found, {"min_length", "max_length"}, "an array", where)
    _lengths(found, where)
    (element,) = get_args(bare)
    inner = Constraints()
    scalar = _unwrap(element, [], inner, where)
    if inner.nullable:
        raise RefusedError(where, "an array whose elements may be None", "leave them out of the list")
    made, bounds = _element(scalar, inner, it, where)
    # A list of Pydantic's holds no None unless it says so.
    checks: list[tuple[str, sql.Composable]] = [("check", sql.SQL("array_position({}, NULL) IS NULL").format(it))]
    each: list[sql.Composable] = [
        sql.SQL("{} {} ALL ({})").format(literal(bound), sql.SQL(_TURNED[operator]), it)
        for operator, bound in filter(None, (bounds.lower, bounds.upper))
    ]
    if each:
        checks.append(("element_check", _joined(each)))
    checks += [
        (suffix, sql.SQL("cardinality({}) {} {}").format(it, sql.SQL(operator), literal(length)))
        for operator, length, suffix in ((">=", found.min_length, "length_check"), ("<=", found.max_length, "size_check"))
        if length is not None
    ]
    return SqlType(sql.SQL("{}[]").format(made), found.nullable, tuple(checks))


# `bound <op> ALL (array)`: the array can stand on the right side only.
_TURNED = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}


def _element(scalar: Any, found: Constraints, it: sql.Composable, where: str) -> tuple[sql.Composable, Constraints]:
    """The type of an array's elements, and the bounds that each has to keep."""
    kind = "the elements of an array"
    if scalar is int:
        _allow(found, {"lower", "upper"}, kind, where)
        sql_name, bounds = _integer_bounds(found, where)
        return _bare(sql_name), bounds
    if scalar is float:
        _allow(found, {"lower", "upper"}, kind, where)
        return _bare("double precision"), _finite(found, where)
    if scalar is str:
        _allow(found, {"max_length"}, kind, where)
        return _string(found, it, where).name, Constraints()
    if scalar is bool:
        return _plain("boolean", found, where).name, Constraints()
    raise RefusedError(where, f"an array of {scalar!r}", "leave array=True out: the list is then jsonb")


def _refuse_no_json(inside: Any, where: str, seen: tuple[Any, ...]) -> None:
    """Refuse what a json value cannot hold and give back. What is inside is the model's to check: the column knows its shape alone."""
    origin = get_origin(inside)
    arguments = get_args(inside)
    if inside in seen or inside in (str, int, float, bool, type(None), Any, dict, list):
        return
    if origin is Annotated:
        _refuse_no_json(arguments[0], where, seen)
    elif origin in (Union, types.UnionType, list):
        for argument in arguments:
            _refuse_no_json(argument, where, seen)
    elif origin is dict and arguments[0] is str:
        _refuse_no_json(arguments[1], where, seen)
    elif isinstance(inside, type) and issubclass(inside, BaseModel):
        for field, info in inside.model_fields.items():
            if info.alias or info.serialization_alias:
                raise RefusedError(f"{where}.{field}", "it has an alias", "call the field what the key is called")
            _refuse_no_json(info.annotation, f"{where}.{field}", (*seen, inside))
    elif not (origin is Literal or (isinstance(inside, type) and issubclass(inside, Enum) and issubclass(inside, str))):
        raise RefusedError(
            where, f"{inside!r} inside of json", "use str, int, float, bool, a list, a dict[str, …], a model or an enum of strings"
        )


def _remedy_for_type(bare: Any) -> str:
    if getattr(bare, "__name__", "") == "datetime":
        return "use AwareDatetime: a time without a zone is no moment"
    return "use str, int, float, bool, AwareDatetime, date, UUID, Decimal, an Enum, a Literal, a dict, a list or a model"
