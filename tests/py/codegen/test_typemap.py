"""A type and its constraints become a column and its checks, or are refused by name."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal
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
    ],
)
def test_what_sql_cannot_say_is_refused_with_the_field_and_a_remedy(annotation: Any, constraints: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refused:
        mapped(annotation, **constraints)
    assert refused.value.where == "Model.it"
    assert refused.value.remedy


@pytest.mark.parametrize("annotation", [list[int | None], list[Annotated[int, Field(ge=3)]], list[dict[str, Any]], dict[str, int]])
def test_an_array_that_sql_could_not_check_is_refused(annotation: Any) -> None:
    with pytest.raises(RefusedError):
        mapped(Annotated[annotation, Column(array=True)], array=True)
