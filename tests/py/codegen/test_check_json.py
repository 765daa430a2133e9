"""The generated validators accept what the models accept, refuse what they refuse, and fill in the same defaults."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

import psycopg
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from codegen import validators
from codegen.messages.base import Message
from codegen.refusal import RefusedError
from codegen.workflows import JOB_TYPES
from tests.py.support.server import Database


class Inner(Message):
    """What is inside."""

    ratio: float = Field(gt=0, le=1.5, description="A ratio")
    note: str | None = Field(default=None, max_length=3, description="A note")


class Everything(Message):
    """One field for each thing that a validator knows."""

    whole: int = Field(ge=-3, lt=10, description="A whole number")
    even: int = Field(default=2, multiple_of=2, description="An even one")
    wide: int = Field(default=0, description="One of any size")
    real: float = Field(default=0.5, ge=-0.1, lt=1e300, description="A number")
    loose: float | None = Field(default=None, description="Any number")
    flag: bool = Field(default=False, description="Yes or no")
    name: str = Field(default="a", min_length=1, max_length=4, pattern="^[a-zé]", description="A name")
    kind: Literal["a", "b"] | None = Field(default=None, description="One of two")
    only: Literal["x"] = Field(default="x", description="One of one")
    words: list[Annotated[str, Field(max_length=2)]] = Field(default_factory=list, max_length=3, description="Words")
    numbers: list[float] | None = Field(default=None, min_length=1, description="Numbers")
    inner: Inner | None = Field(default=None, description="A model")
    inners: list[Inner] = Field(default_factory=list, description="Models")
    free: dict[str, Any] = Field(default_factory=dict, description="Anything under any key")
    anything: Any = Field(default=None, description="Anything")


USED: set[type[BaseModel]] = {job.parameters for job in JOB_TYPES} | set(validators.CONFIGS.values())
MODELS: list[type[BaseModel]] = [Everything, *sorted(USED, key=lambda model: model.__name__)]

# What jsonb cannot hold never reaches a validator: NUL and lone surrogates.
TEXT_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXT = st.text(TEXT_CHARACTERS, max_size=6)
NUMBERS = st.one_of(
    st.integers(-12, 12),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.1, -0.1, 1.5, 1.0, 1e300, 5e-324, 10**308, 10**309, -(10**400), 1.7976931348623157e308]),
)
# Where doubles end: the first integer that rounds to infinity, and the smallest number.
EXTREME = [2**1024 - 2**970, 2**1024 - 2**970 - 1, 10**400, 1.7976931348623157e308, 5e-324, 0.1]
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema accepts."""
    if "anyOf" in schema:
        return st.none() | fitting(schema["anyOf"][0])
    match schema.get("type"):
        case "integer":
            low, high = limits(schema)
            step = schema.get("multipleOf", 1)
            return st.integers(low, high).map(lambda number: number - number % step)
        case "number":
            return st.floats(
                schema.get("minimum", schema.get("exclusiveMinimum")),
                schema.get("maximum", schema.get("exclusiveMaximum")),
                exclude_min="exclusiveMinimum" in schema,
                exclude_max="exclusiveMaximum" in schema,
                allow_nan=False,
                allow_infinity=False,
            )
        case "boolean":
            return st.booleans()
        case "string" if "enum" in schema or "const" in schema:
            return st.sampled_from(schema.get("enum", [schema.get("const")]))
        case "string":
            return strings(schema, schema.get("minLength", 0), min(schema.get("maxLength", 20), 70))
        case "array":
            return st.lists(fitting(schema["items"]), min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 4), 4))
        case "object" if "properties" in schema:
            return models(schema)
        case "object":
            return st.dictionaries(TEXT, ANY, max_size=2)
    return ANY


def limits(schema: dict[str, Any]) -> tuple[int, int]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -101) + 1)
    return low, schema.get("maximum", schema.get("exclusiveMaximum", max(low, 0) + 101) - 1)


def strings(schema: dict[str, Any], low: int, high: int) -> st.SearchStrategy[str]:
    pattern = schema.get("pattern")
    if pattern is None:
        return st.text(TEXT_CHARACTERS, min_size=low, max_size=high)
    if pattern.endswith(("+$", "*$")):
        # A repetition at the end is where the length may come from.
        head = 1 if pattern.count("[") > 1 else 0
        pattern = f"{pattern[:-2]}{{{max(low - head, 0)},{high - head}}}$"
    return st.from_regex(pattern).filter(lambda text: "\0" not in text and "\n" not in text and low <= len(text) <= high)


def models(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    properties = {key: fitting(inner) for key, inner in schema["properties"].items()}
    required = set(schema.get("required", []))
    return st.fixed_dictionaries(
        {key: made for key, made in properties.items() if key in required},
        optional={key: made for key, made in properties.items() if key not in required},
    )


def edges(schema: dict[str, Any]) -> list[Any]:
    """Values at the edges of a schema, on either side, and of every other type."""
    strangers = [None, True, 0, 1.5, "", "x", [], [None], {}, {"x": 1}]
    if "anyOf" in schema:
        return edges(schema["anyOf"][0])
    match schema.get("type"):
        case "integer":
            low, high = limits(schema)
            return [*strangers, low - 1, low, high, high + 1, float(low), 10**30, -(10**30)]
        case "number":
            bounds = [schema[key] for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum") if key in schema]
            near = [edge for bound in bounds for edge in (math.nextafter(bound, -math.inf), bound, math.nextafter(bound, math.inf))]
            return [*strangers, *near, *(-number for number in EXTREME), *EXTREME]
        case "string":
            sizes = {schema.get("minLength", 0), schema.get("maxLength", 5)}
            long = ["é" * size for bound in sizes for size in range(max(bound - 1, 0), bound + 2)]
            return [*strangers, *long, *schema.get("enum", []), schema.get("const"), "A", "a", "a\n", "\na", "0 ", "2024-01-01T00:00:00Z"]
        case "array":
            one = one_of(fitting(schema["items"]))
            sizes = {schema.get("minItems", 0), schema.get("maxItems", 5)}
            longer = [[one] * size for bound in sizes for size in range(max(bound - 1, 0), bound + 2)]
            return [*strangers, *longer, *([one, edge] for edge in edges(schema["items"]))]
        case "object" if "properties" in schema:
            return [*strangers, *spoilt(schema)]
    return strangers


def one_of(values: st.SearchStrategy[Any]) -> Any:
    """One of them, the same at each run."""
    return find(values, lambda _: True, settings=settings(phases=[Phase.generate], derandomize=True, database=None))


def spoilt(schema: dict[str, Any]) -> Iterator[Any]:
    """A document that fits, with each field at each of its edges, or left out."""
    base = one_of(models(schema))
    for key, inner in schema["properties"].items():
        yield {other: value for other, value in base.items() if other != key}
        yield from (base | {key: edge} for edge in edges(inner))


def documents(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """A document that fits, with nothing or something spoilt, missing or unknown; or something else altogether."""
    keys = st.sampled_from(sorted(schema["properties"]))
    missing = st.tuples(models(schema), keys).map(lambda pair: {key: value for key, value in pair[0].items() if key != pair[1]})
    changed = st.tuples(models(schema), keys, ANY).map(lambda made: made[0] | {made[1]: made[2]})
    unknown = st.tuples(models(schema), TEXT, ANY).map(lambda made: made[0] | {made[1]: made[2]})
    return st.one_of(models(schema), models(schema), missing, changed, unknown, ANY)


def written(value: Any) -> str:
    """JSON without exponents: jsonb keeps 1e2 as 100, so that it cannot tell a float from an integer there."""
    match value:
        case bool() | None | str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            plain = format(Decimal(repr(value)), "f")
            return plain if "." in plain else plain + ".0"
        case int():
            return str(value)
        case list():
            return f"[{', '.join(written(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{written(key)}: {written(item)}' for key, item in value.items())}}}"
    raise TypeError(type(value))


def judged(model: type[BaseModel], document: str) -> dict[str, Any] | None:
    """What Pydantic makes of a document; None if it refuses it."""
    try:
        return model.model_validate_json(document).model_dump(mode="json")
    except ValidationError:
        return None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_validator_agrees_with_its_model(model: type[BaseModel], module_database: Database) -> None:
    schema = validators.parameter_schema(model)
    with module_database.connect() as connection:

        @settings(max_examples=60)
        @given(documents(schema).map(written))
        def agrees(document: str) -> None:
            agree(model, document, *checked(connection, schema, document))

        agrees()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_validator_agrees_with_its_model_at_every_edge(model: type[BaseModel], module_database: Database) -> None:
    schema = validators.parameter_schema(model)
    documents = [written(document) for document in spoilt(schema)]
    with module_database.connect() as connection:
        rows = connection.execute(
            "SELECT c.filled, c.problems FROM unnest(%s::text[]) WITH ORDINALITY AS d (document, position) "
            "CROSS JOIN LATERAL app.check_json(%s, d.document::jsonb, 'it') AS c ORDER BY d.position",
            [documents, Jsonb(schema)],
        ).fetchall()
    for document, (filled, problems) in zip(documents, rows, strict=True):
        agree(model, document, filled, problems)


@pytest.mark.parametrize(
    "number", ["-0.10000000000000000001", "-0.1000000000000001", "1e-400", "-1e-400", "9.9e299", "1e309", "-1e309", "0e999", "1E5"]
)
def test_a_float_is_compared_as_a_double(number: str, module_database: Database) -> None:
    schema = validators.parameter_schema(Everything)
    with module_database.connect() as connection:
        for field in ("real", "loose"):
            document = f'{{"whole": 1, "{field}": {number}}}'
            agree(Everything, document, *checked(connection, schema, document))


def agree(model: type[BaseModel], document: str, filled: Any, problems: list[dict[str, Any]]) -> None:
    """The validator's answer beside the model's."""
    wanted = judged(model, document)
    assert (problems == []) == (wanted is not None), (document, problems)
    if wanted is not None:
        assert rounded(filled, wanted) == wanted


def rounded(filled: Any, wanted: Any) -> Any:
    """The value with its numbers as doubles where the model has doubles: jsonb keeps every digit."""
    match wanted:
        case float() if isinstance(filled, int | float) and not isinstance(filled, bool):
            return float(filled)
        case list() if isinstance(filled, list) and len(filled) == len(wanted):
            return [rounded(inner, made) for inner, made in zip(filled, wanted, strict=True)]
        case dict() if isinstance(filled, dict):
            return {key: rounded(inner, wanted.get(key)) for key, inner in filled.items()}
    return filled


def checked(connection: psycopg.Connection[Any], schema: dict[str, Any], document: str) -> tuple[Any, list[dict[str, Any]]]:
    row = connection.execute("SELECT filled, problems FROM app.check_json(%s, %s::jsonb, 'it')", [Jsonb(schema), document]).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ({}, "REQUIRED", "it.whole"),
        ({"whole": 1, "wohle": 2}, "UNKNOWN_KEY", "it.wohle"),
        ([], "WRONG_TYPE", "it"),
        (None, "WRONG_TYPE", "it"),
        ({"whole": True}, "WRONG_TYPE", "it.whole"),
        ({"whole": 1.0}, "WRONG_TYPE", "it.whole"),
        ({"whole": None}, "WRONG_TYPE", "it.whole"),
        ({"whole": -4}, "TOO_SMALL", "it.whole"),
        ({"whole": 10}, "TOO_LARGE", "it.whole"),
        ({"whole": 1, "even": 3}, "NOT_ALLOWED", "it.even"),
        ({"whole": 1, "loose": 10**400}, "NOT_FINITE", "it.loose"),
        ({"whole": 1, "name": ""}, "TOO_SHORT", "it.name"),
        ({"whole": 1, "name": "aaaaa"}, "TOO_LONG", "it.name"),
        ({"whole": 1, "name": "1"}, "PATTERN", "it.name"),
        ({"whole": 1, "kind": "c"}, "NOT_ALLOWED", "it.kind"),
        ({"whole": 1, "words": ["a", "abc"]}, "TOO_LONG", "it.words[1]"),
        ({"whole": 1, "words": ["", "", "", ""]}, "TOO_LONG", "it.words"),
        ({"whole": 1, "numbers": []}, "TOO_SHORT", "it.numbers"),
        ({"whole": 1, "inners": [{"ratio": 1}, {"ratio": 0}]}, "TOO_SMALL", "it.inners[1].ratio"),
    ],
)
def test_a_problem_says_what_is_wrong_where_and_what_to_do(value: Any, code: str, field: str, module_database: Database) -> None:
    with module_database.connect() as connection:
        _, problems = checked(connection, validators.parameter_schema(Everything), written(value))
    named = [problem for problem in problems if (problem["code"], problem["field"]) == (code, field)]
    assert named, problems
    assert named[0].keys() == {"code", "category", "field", "value", "message", "remediation", "retryable"}
    assert (named[0]["category"], named[0]["retryable"]) == ("user", False)
    assert field in named[0]["message"] or code == "UNKNOWN_KEY"
    assert named[0]["remediation"]


def test_all_problems_are_told_at_once(module_database: Database) -> None:
    with module_database.connect() as connection:
        _, problems = checked(connection, validators.parameter_schema(Everything), '{"name": "12345", "x": 1, "words": [1, 2]}')
    assert [(problem["code"], problem["field"]) for problem in problems] == [
        ("PATTERN", "it.name"),
        ("TOO_LONG", "it.name"),
        ("WRONG_TYPE", "it.words[0]"),
        ("WRONG_TYPE", "it.words[1]"),
        ("REQUIRED", "it.whole"),
        ("UNKNOWN_KEY", "it.x"),
    ]
    assert "whole" in problems[-1]["remediation"], "the known keys are listed"


def test_sql_null_is_no_parameters(module_database: Database) -> None:
    with module_database.connect() as connection:
        row = connection.execute("SELECT problems -> 0 ->> 'code' FROM app.validate_hello_world(NULL)").fetchone()
    assert row == ("WRONG_TYPE",)


class Typed(Message):
    """Refused: a dict whose values have a type."""

    values: dict[str, int] = Field(description="Values")


class Timed(Message):
    """Refused: a format."""

    at: AwareDatetime = Field(description="At")


class Either(Message):
    """Refused: a union."""

    either: int | str = Field(description="Either")


class Judged(Message):
    """Refused: a validator."""

    n: Annotated[int, AfterValidator(abs)] = Field(description="N")


class Dotted(Message):
    """Refused: a dot, which the engines read differently."""

    name: str = Field(pattern="^a.b$", description="Name")


class Made(Message):
    """Refused: a default that SQL cannot make."""

    name: str = Field(default_factory=lambda: "x", description="Name")


class Tree(Message):
    """Refused: a model that contains itself."""

    children: list[Tree] = Field(description="Children")


class Open(BaseModel):
    """Refused: not strict, and open."""

    n: int


@pytest.mark.parametrize(
    ("model", "where"),
    [
        (Typed, "Typed.values"),
        (Timed, "Timed.at"),
        (Either, "Either.either"),
        (Judged, ""),
        (Dotted, "Dotted.name"),
        (Made, ""),
        (Tree, "Tree"),
        (Open, "Open"),
    ],
)
def test_what_the_interpreter_does_not_know_is_refused(model: type[BaseModel], where: str) -> None:
    with pytest.raises(RefusedError) as refused:
        validators.parameter_schema(model)
    assert where in refused.value.where
    assert refused.value.remedy
