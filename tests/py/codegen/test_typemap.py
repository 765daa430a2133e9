"""A type and its constraints become a column and its checks, or are refused by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import annotated_types
import pytest
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, create_model

from codegen.models.base import Column
from codegen.refusal import RefusedError
from codegen.typemap import SqlType, sql_type


class Colour(StrEnum):
    RED = "red"


class Shade(StrEnum):
    DARK = "dark"


ENUMS: dict[type[Enum], tuple[str, str]] = {Colour: ("app", "colour")}


SHORTEST = "CASE WHEN jsonb_typeof(it) = 'array' THEN jsonb_array_length(it) >= 1 END"
LONGEST = "CASE WHEN jsonb_typeof(it) = 'array' THEN jsonb_array_length(it) <= 2 END"


class Tree(BaseModel):
    label: str
    children: list[Tree] = Field(default_factory=list)


class Dated(BaseModel):
    on: date


class Aliased(BaseModel):
    n: int = Field(alias="number")


def mapped(annotation: Any, *, array: bool = False, **constraints: Any) -> SqlType:
    """The type of a field `it` that is annotated and constrained so."""
    model = create_model("Model", it=(annotation, Field(**constraints)))
    info = model.model_fields["it"]
    return sql_type(info.annotation, info.metadata, column="it", where="Model.it", array=array, enums=ENUMS)


def said(made: SqlType) -> tuple[str, list[str]]:
    return made.name.as_string(None), [expression.as_string(None) for _, expression in made.checks]


@pytest.mark.parametrize(
    ("annotation", "constraints", "name", "checks"),
    [
        (str, {}, "text", []),
        (str, {"max_length": 64}, "varchar(64)", []),
        (str, {"min_length": 2, "max_length": 9}, "varchar(9)", ["char_length(it) >= 2"]),
        (str, {"pattern": "^[a-z']+$"}, "text", ["it ~ '^[a-z'']+$'"]),
        (str, {"pattern": "^a.b$"}, "text", [r"it ~ '^a[^\n]b$'"]),
        (int, {}, "integer", []),
        (int, {"ge": 1}, "integer", ["it >= 1"]),
        (int, {"ge": -5, "lt": 5}, "integer", ["it >= -5 AND it < 5"]),
        (int, {"ge": -(2**31), "le": 2**31 - 1}, "integer", []),
        (int, {"le": 2**31}, "bigint", ["it <= 2147483648"]),
        (int, {"ge": 0, "lt": 2**63}, "bigint", ["it >= 0"]),
        (int, {"ge": -(2**63), "lt": 2**63}, "bigint", []),
        (int, {"gt": 0, "multiple_of": 3}, "integer", ["it > 0", "it % 3 = 0"]),
        (float, {}, "double precision", ["it > '-Infinity' AND it < 'Infinity'"]),
        (float, {"ge": 0, "le": 1}, "double precision", ["it >= 0 AND it <= 1"]),
        (bool, {}, "boolean", []),
        (AwareDatetime, {}, "timestamptz", []),
        (date, {}, "date", []),
        (UUID, {}, "uuid", []),
        (Decimal, {"max_digits": 5, "decimal_places": 2, "ge": 0}, "numeric(5, 2)", ["it >= 0", "it <> 'NaN'"]),
        (Colour, {}, "app.colour", []),
        (Literal["a", "b"], {}, "text", ["it IN ('a', 'b')"]),
        (dict[str, Any], {}, "jsonb", ["jsonb_typeof(it) = 'object'"]),
        (list[int], {}, "jsonb", ["jsonb_typeof(it) = 'array'"]),
        (Any, {}, "jsonb", []),
        (Annotated[int, annotated_types.Interval(ge=1, le=3)], {}, "integer", ["it >= 1 AND it <= 3"]),
        (float, {"gt": -1, "lt": 1}, "double precision", ["it > -1 AND it < 1"]),
        (float, {"ge": 0}, "double precision", ["it >= 0 AND it < 'Infinity'"]),
        (Decimal, {"max_digits": 3, "decimal_places": 0, "lt": Decimal("9.5")}, "numeric(3, 0)", ["it < 9.5", "it <> 'NaN'"]),
        (str, {"min_length": 0}, "text", []),
        (list[Any], {"min_length": 1, "max_length": 2}, "jsonb", ["jsonb_typeof(it) = 'array'", SHORTEST, LONGEST]),
        (dict, {}, "jsonb", ["jsonb_typeof(it) = 'object'"]),
        (dict[str, list[Colour | None]], {}, "jsonb", ["jsonb_typeof(it) = 'object'"]),
    ],
)
def test_a_type_becomes_a_column(annotation: Any, constraints: dict[str, Any], name: str, checks: list[str]) -> None:
    made = mapped(annotation, **constraints)
    assert said(made) == (name, checks)
    assert not made.nullable


def test_a_nested_model_is_a_json_object() -> None:
    class Inner(BaseModel):
        n: int

    assert said(mapped(Inner)) == ("jsonb", ["jsonb_typeof(it) = 'object'"])


def test_a_nested_model_may_hold_itself() -> None:
    assert said(mapped(Tree)) == ("jsonb", ["jsonb_typeof(it) = 'object'"])


def test_optional_is_nullable_and_keeps_the_constraints_inside_the_union() -> None:
    made = mapped(Annotated[str, Field(max_length=5, min_length=1)] | None, default=None)
    assert made.nullable
    assert said(made) == ("varchar(5)", ["char_length(it) >= 1"])


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (list[int], "integer[]"),
        (list[Annotated[int, Field(ge=-(2**63), lt=2**63)]], "bigint[]"),
        (list[str] | None, "text[]"),
        (list[bool], "boolean[]"),
    ],
)
def test_a_list_of_scalars_may_be_an_array_without_nulls(annotation: Any, name: str) -> None:
    made = mapped(Annotated[annotation, Column(array=True)], array=True)
    assert said(made) == (name, ["array_position(it, NULL) IS NULL"])


@pytest.mark.parametrize(
    ("annotation", "constraints", "name", "checks"),
    [
        (list[float], {}, "double precision[]", ["'-Infinity' < ALL (it) AND 'Infinity' > ALL (it)"]),
        (list[Annotated[int, Field(ge=3)]], {}, "integer[]", ["3 <= ALL (it)"]),
        (list[Annotated[int, Field(gt=0, le=5)]], {}, "integer[]", ["0 < ALL (it) AND 5 >= ALL (it)"]),
        (list[Annotated[str, Field(max_length=4)]], {}, "varchar(4)[]", []),
        (list[int], {"min_length": 1, "max_length": 3}, "integer[]", ["cardinality(it) >= 1", "cardinality(it) <= 3"]),
    ],
)
def test_the_elements_of_an_array_keep_their_bounds(annotation: Any, constraints: dict[str, Any], name: str, checks: list[str]) -> None:
    made = mapped(Annotated[annotation, Column(array=True)], array=True, **constraints)
    assert said(made) == (name, ["array_position(it, NULL) IS NULL", *checks])


@pytest.mark.parametrize(
    ("annotation", "constraints", "why"),
    [
        (int | str, {}, "union"),
        (datetime, {}, "AwareDatetime"),
        (bytes, {}, "no SQL type is known"),
        (set[int], {}, "no SQL type is known"),
        (Shade, {}, "ENUMS"),
        (Literal[1, 2], {}, "other things than strings"),
        (Decimal, {}, "max_digits"),
        (Decimal, {"max_digits": 5, "decimal_places": 2, "multiple_of": 2}, "multiple_of"),
        (int, {"lt": 2**70}, "exceed bigint"),
        (float, {"multiple_of": 0.1}, "multiple_of"),
        (float, {"allow_inf_nan": True}, "allow_inf_nan"),
        (str, {"max_length": 0}, "no length of a varchar"),
        (str, {"pattern": r"^\d$"}, r"the escape \\d"),
        (dict[str, Any], {"min_length": 1}, "min_length"),
        (Annotated[int, AfterValidator(abs)], {}, "AfterValidator"),
        (str, {"coerce_numbers_to_str": True}, "coerce_numbers_to_str"),
        (int | None | str, {}, "union"),
        (type(None), {}, "no SQL type is known"),
        (tuple[int, ...], {}, "no SQL type is known"),
        (frozenset[int], {}, "no SQL type is known"),
        (timedelta, {}, "no SQL type is known"),
        (time, {}, "no SQL type is known"),
        (complex, {}, "no SQL type is known"),
        (object, {}, "no SQL type is known"),
        (NewType("Name", str), {}, "no SQL type is known"),
        (Literal["a", None], {}, "other things than strings"),
        (Literal[True], {}, "other things than strings"),
        (IntEnum("Size", "SMALL"), {}, "ENUMS"),
        (int, {"ge": 1, "gt": 5}, "lower is given twice"),
        (Annotated[int, Field(le=5)] | None, {"le": 4}, "upper is given twice"),
        (Annotated[str, Field(pattern="^a$")], {"pattern": "^b$"}, "given twice"),
        (int, {"ge": 1.0}, "no int"),
        (int, {"ge": True}, "no int"),
        (int, {"ge": 5, "lt": 5}, "no integer lies within"),
        (int, {"le": -(2**31) - 1, "ge": 0}, "no integer lies within"),
        (int, {"multiple_of": 3.0}, "no int"),
        (int, {"min_length": 1}, "min_length"),
        (int, {"strict": False}, "strict"),
        (float, {"ge": float("nan")}, "finite"),
        (float, {"le": float("inf")}, "finite"),
        (Decimal, {"max_digits": 5, "decimal_places": 2, "ge": 0.1}, "no int or Decimal"),
        (Decimal, {"max_digits": 2, "decimal_places": 3}, "numeric"),
        (Decimal, {"max_digits": 2, "decimal_places": 2}, "numeric"),
        (Decimal, {"max_digits": 1001, "decimal_places": 3}, "numeric"),
        (str, {"min_length": 3, "max_length": 2}, "no length lies within"),
        (bool, {"ge": 0}, "lower"),
        (date, {"ge": date(2000, 1, 1)}, "lower"),
        (AwareDatetime, {"le": datetime(2000, 1, 1, tzinfo=UTC)}, "upper"),
        (Colour, {"max_length": 3}, "max_length"),
        (Annotated[int, Column(identity=True)] | None, {}, "hidden inside the type"),
        (list[UUID], {}, "inside of json"),
        (list[tuple[int, int]], {}, "inside of json"),
        (dict[str, Decimal], {}, "inside of json"),
        (dict[int, str], {}, "inside of json"),
        (Dated, {}, "inside of json"),
        (list[Dated], {}, "inside of json"),
        (Aliased, {}, "alias"),
    ],
)
def test_what_sql_cannot_say_is_refused_with_the_field_and_a_remedy(annotation: Any, constraints: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refused:
        mapped(annotation, **constraints)
    assert refused.value.where.startswith("Model.it")
    assert refused.value.remedy


@pytest.mark.parametrize(
    "annotation",
    [
        list[int | None],
        list[dict[str, Any]],
        list[list[int]],
        dict[str, int],
        list,
        list[Annotated[int, Field(multiple_of=3)]],
        list[Annotated[str, Field(min_length=1)]],
        list[Annotated[str, Field(pattern="^a$")]],
        list[Decimal],
    ],
)
def test_an_array_that_sql_could_not_check_is_refused(annotation: Any) -> None:
    with pytest.raises(RefusedError):
        mapped(Annotated[annotation, Column(array=True)], array=True)
