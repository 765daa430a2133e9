"""What a model accepts its table accepts, and keeps; what it refuses the table refuses, but for the divergences listed here.

Fields and values are generated, tables are made from them by the generator itself, and each value is given to both: to
Pydantic, and through psycopg to PostgreSQL. Each known divergence is one way only: a table that takes more than its model.
docs/decisions/0024 says of each why it stays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, create_model

from codegen import ddl, introspect
from codegen.models.base import Column, Table, table
from codegen.models.enums import DatabaseEnum
from codegen.models.storable import DEEPEST_JSON
from codegen.refusal import RefusedError
from codegen.version import CHECKOUT
from tests.py.support.server import Database

SCHEMA = "parity"
DECISION = CHECKOUT / "docs" / "decisions" / "0024-parity-and-its-limits.md"

PROFILE = settings(derandomize=True, database=None, deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))


class Colour(DatabaseEnum):
    """A colour."""

    RED = "red"
    GREEN = "green"


class Point(BaseModel):
    """A model in a column."""

    model_config = ConfigDict(strict=True, extra="forbid")

    x: int = Field(ge=0)
    label: str | None = None


@dataclass(frozen=True)
class Spec:
    """A field: what it is annotated with, what of it is native, and its constraints."""

    kind: str
    annotation: Any
    constraints: tuple[tuple[str, Any], ...] = ()
    nullable: bool = False

    @property
    def is_json(self) -> bool:
        return self.kind.startswith("json")

    def model(self) -> type[Table]:
        annotation = self.annotation | None if self.nullable else self.annotation
        if self.kind.startswith("array"):
            annotation = Annotated[annotation, Column(array=True)]
        key: Any = (Annotated[int, Column(primary_key=True)], Field(description="Key"))
        it: Any = (annotation, Field(description="The value", **dict(self.constraints)))
        made: type[Table] = create_model("Probe", __base__=Table, __doc__="A probe.", probe_id=key, it=it)
        made.__table__ = table(schema=SCHEMA, name="probes", unlogged=True, only_these_indexes="a probe")
        return made


INTEGERS = [-(2**63), -(2**31) - 1, -(2**31), -7, 0, 1, 6, 2**31 - 1, 2**31, 2**39, 2**63 - 1]
FLOATS = [-1e308, -1.5, -0.0, 0.0, 0.1, 1.0, 5e-324, 1e22, 1e23, 1.7976931348623157e308]
TEXTS = [
    "",
    "a",
    "ab",
    "ab  ",
    "abc",
    "a b",
    "é",
    "ß" * 3,
    "\U0001f600" * 3,
    "e\u0301",
    "a\n",
    "\n",
    "\0",
    "a\0",
    "\ud800",
    "it's",
    "\\",
    "٣",
    "3",
    "%s",
]
DECIMALS = [
    Decimal(text)
    for text in "0 -0 0E+10 1.5 1.50 1.2300 9.99 9.999 99.99 999.99 999.995 1000 1E+2 1E-9 NaN sNaN Infinity -Infinity".split()  # noqa: SIM905
]
MOMENTS = [
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=2))),
    datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=17, seconds=30))),
    datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59, microseconds=1))),
    datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=timezone(-timedelta(hours=12))),
]
DATES = [date(2000, 1, 1), date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)]

# Values of other types than the field's own: what PostgreSQL casts, and what it does not.
STRANGERS = [
    None, True, 0, 1, 2**31, 1.5, math.nan, "1", "", "red", "t", "{}", "{1}", "[]", "null", "infinity", "2000-01-01", "10000-01-01",
    "0000-01-01", Decimal(1), Decimal("1.5"), UUID(int=1), str(UUID(int=1)), date(2000, 1, 1),
    datetime(2000, 1, 1), MOMENTS[0], b"x", Colour.RED,  # noqa: DTZ001
    [], [1], [1.5], ["1"], [True], [None], [[]], [[1]], (), (1,), {}, {"a": 1}, {1, 2}, Point(x=1), timedelta(1), object(),
]  # fmt: skip


def near(values: list[int]) -> st.SearchStrategy[int]:
    return st.builds(int.__add__, st.sampled_from(values), st.integers(-1, 1)) | st.integers()


def texts() -> st.SearchStrategy[str]:
    return st.sampled_from(TEXTS) | st.text(st.sampled_from("ab3٣é \n\0."), max_size=5) | st.text(max_size=4)


def leaves() -> st.SearchStrategy[Any]:
    return st.none() | st.booleans() | near(INTEGERS) | st.floats() | texts() | st.sampled_from([10**4000, Decimal(1), UUID(int=1), b"x"])


def documents() -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts() | st.integers(0, 3), inner, max_size=3) | st.tuples(inner),
        max_leaves=6,
    )


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def constraints(**possible: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[tuple[str, Any], ...]]:
    """Some of them, each or not."""
    return st.fixed_dictionaries({}, optional=possible).map(lambda chosen: tuple(chosen.items()))


def bounds(values: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {"ge": values, "le": values, "gt": values, "lt": values}


LENGTHS: dict[str, st.SearchStrategy[Any]] = {"min_length": st.integers(0, 2), "max_length": st.integers(1, 3)}
PATTERNS = ["^[a-z]+$", "^a.", "[0-9]", "^(ab|é)", r"^a\.?", "^[^ab]*$", "^$", " $"]


def array_of(element: Any) -> Any:
    return list[element]


Fields = tuple[st.SearchStrategy[Any], st.SearchStrategy[Any], st.SearchStrategy[tuple[tuple[str, Any], ...]]]
"""Annotations, values of the field's own type, and constraints."""

NOTHING = st.just(())
"""For a kind that no constraint goes with."""

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-14)), timezone(timedelta(hours=20))])
FLOAT_BOUNDS = bounds(st.sampled_from([*FLOATS, -7, 0, 6, 2**53 + 1]))
DIGITS = st.sampled_from([(5, 2), (3, 0), (3, 2), (20, 10), (1000, 999)])
DECIMAL_BOUNDS = constraints(ge=st.sampled_from([0, -7, Decimal("0.1")]), lt=st.sampled_from([10, Decimal("999.99")]))


def numeric(digits: tuple[int, int], bounded: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    return (("max_digits", digits[0]), ("decimal_places", digits[1]), *bounded)


KINDS: dict[str, Fields] = {
    "int": (st.just(int), near(INTEGERS), constraints(**bounds(st.sampled_from(INTEGERS)), multiple_of=st.sampled_from([1, 3, 7]))),
    "float": (st.just(float), st.sampled_from(FLOATS) | st.floats() | near([*INTEGERS, 2**53, 10**400]), constraints(**FLOAT_BOUNDS)),
    "str": (st.just(str), texts(), constraints(**LENGTHS, pattern=st.sampled_from(PATTERNS))),
    "decimal": (
        st.just(Decimal),
        st.sampled_from(DECIMALS) | st.decimals(places=2, min_value=-1100, max_value=1100) | st.decimals(),
        st.builds(numeric, DIGITS, DECIMAL_BOUNDS),
    ),
    "bool": (st.just(bool), st.booleans(), NOTHING),
    "moment": (st.just(AwareDatetime), st.sampled_from(MOMENTS) | st.datetimes(timezones=ZONES), NOTHING),
    "date": (st.just(date), st.sampled_from(DATES) | st.dates(), NOTHING),
    "uuid": (st.just(UUID), st.uuids(), NOTHING),
    "enum": (st.just(Colour), st.sampled_from([*Colour]), NOTHING),
    "literal": (st.just(Literal["red", "it's", ""]), st.sampled_from(["red", "it's", "", "Red", "red "]), NOTHING),
    "json_object": (st.just(dict[str, Any]), st.dictionaries(texts(), documents(), max_size=3), NOTHING),
    "json_array": (
        st.just(list[Any]),
        st.lists(documents(), max_size=3) | st.sampled_from([nested(DEEPEST_JSON), nested(DEEPEST_JSON + 1)]),
        constraints(**LENGTHS),
    ),
    "json_any": (st.just(Any), documents(), NOTHING),
    "json_inside": (
        st.sampled_from([list[int], list[str], list[Annotated[int, Field(ge=1)]], dict[str, int], list[Literal["a", 1]]]),
        st.lists(leaves(), max_size=3) | st.dictionaries(texts(), leaves(), max_size=2),
        NOTHING,
    ),
    "json_model": (st.just(Point), st.builds(Point.model_construct, x=near([0]), label=st.none() | texts()), NOTHING),
    "array_int": (
        st.sampled_from([int, Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0, lt=2**63)]]).map(array_of),
        st.lists(near([0, 7, 2**31, 2**63]) | st.none(), max_size=4),
        constraints(**LENGTHS),
    ),
    "array_float": (
        st.sampled_from([float, Annotated[float, Field(ge=0, lt=1)]]).map(array_of),
        st.lists(st.sampled_from(FLOATS) | st.floats(), max_size=3),
        constraints(**LENGTHS),
    ),
    "array_str": (
        st.sampled_from([str, Annotated[str, Field(max_length=2)]]).map(array_of),
        st.lists(texts(), max_size=3),
        constraints(**LENGTHS),
    ),
    "array_bool": (st.just(list[bool]), st.lists(st.booleans() | st.none(), max_size=3), constraints(**LENGTHS)),
}

# What a value of the field's own type is; everything else is a stranger to it.
NATIVE: dict[str, Callable[[Any], bool]] = {
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float),
    "str": lambda value: isinstance(value, str),
    "decimal": lambda value: isinstance(value, Decimal),
    "bool": lambda value: isinstance(value, bool),
    "moment": lambda value: isinstance(value, datetime) and value.tzinfo is not None,
    "date": lambda value: type(value) is date,
    "uuid": lambda value: isinstance(value, UUID),
    "enum": lambda value: isinstance(value, Colour),
    "literal": lambda value: isinstance(value, str),
    "json_object": lambda value: isinstance(value, dict),
    "json_array": lambda value: isinstance(value, list),
    "json_any": lambda _: True,
    "json_inside": lambda value: isinstance(value, list | dict),
    "json_model": lambda value: isinstance(value, Point),
}


def native(kind: str, value: Any) -> bool:
    if kind.startswith("array_"):
        return isinstance(value, list) and all(item is None or native(kind.removeprefix("array_"), item) for item in value)
    return NATIVE[kind](value)


def places(value: Decimal) -> int:
    """Digits after the point, trailing zeros apart."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def longest(spec: Spec) -> int | None:
    """max_length of a string, or of an array's elements."""
    if spec.kind == "str":
        found = dict(spec.constraints).get("max_length")
        return found if isinstance(found, int) else None
    element = get_args(spec.annotation)[0]
    return 2 if get_args(element) else None


def cut(spec: Spec, value: Any) -> bool:
    limit = longest(spec)
    values = value if isinstance(value, list) else [value]
    return limit is not None and any(len(text.rstrip(" ")) <= limit < len(text) for text in values if text is not None)


def beyond_python(value: datetime) -> bool:
    try:
        value.astimezone(UTC)
    except OverflowError:
        return True
    return False


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return 1 + max(map(depth, inner), default=0)


def rewritten(value: Any) -> bool:
    """Whether json.dumps writes it as something else: tuples as lists, keys as strings."""
    if isinstance(value, dict):
        return any(not isinstance(key, str) or rewritten(item) for key, item in value.items())
    return isinstance(value, tuple) or (isinstance(value, list) and any(map(rewritten, value)))


@dataclass(frozen=True)
class Divergence:
    """A value that a model refuses and its table takes."""

    name: str
    """As the decision's heading has it."""
    applies: Callable[[Spec, Any], bool]
    example: tuple[Spec, Any]


DIVERGENCES = [
    Divergence("A value of another type is cast", lambda spec, value: not native(spec.kind, value), (Spec("int", int), 1.5)),
    Divergence(
        "Spaces beyond the end are cut",
        lambda spec, value: spec.kind in ("str", "array_str") and cut(spec, value),
        (Spec("str", str, (("max_length", 2),)), "ab "),
    ),
    Divergence(
        "Decimals are rounded",
        lambda spec, value: spec.kind == "decimal" and places(value) > dict(spec.constraints)["decimal_places"],
        (Spec("decimal", Decimal, (("max_digits", 5), ("decimal_places", 2))), Decimal("0.001")),
    ),
    Divergence(
        "Moments reach beyond Python's years",
        lambda spec, value: spec.kind == "moment" and beyond_python(value),
        (Spec("moment", AwareDatetime), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    ),
    Divergence(
        "What is inside of a document is the model's",
        lambda spec, _: spec.kind in ("json_inside", "json_model"),
        (Spec("json_inside", list[int]), ["a"]),
    ),
    Divergence(
        "Documents may be deeper",
        lambda spec, value: spec.is_json and depth(value) > DEEPEST_JSON,
        (Spec("json_array", list[Any]), nested(DEEPEST_JSON + 1)),
    ),
    Divergence(
        "The writer makes JSON of what is none",
        lambda spec, value: spec.is_json and rewritten(value),
        (Spec("json_object", dict[str, Any]), {"a": (1,)}),
    ),
]


class Bench:
    """A connection on which tables are made of specs and forgotten; everything happens in one transaction that is rolled back."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        connection.execute("SET LOCAL timezone = 'UTC'")
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        self.enums = {SCHEMA: {"colour": Colour}}
        for made in introspect.enum_types(self.enums):
            for statement in ddl.enum(made):
                connection.execute(statement.sql.encode())

    def compare(self, spec: Spec, values: list[Any]) -> Iterator[tuple[Any, bool, bool]]:
        """Each value, whether the model takes it, and whether the table does. What both take is kept as the model has it."""
        model = spec.model()
        (made,) = introspect.tables([model], self.enums)
        with self.connection.transaction(force_rollback=True):
            for statement in ddl.table(made):
                self.connection.execute(statement.sql.encode())
            for value in values:
                row = accepted(model, value)
                stored = self._store(spec, value if row is None else row.model_dump()["it"] if isinstance(value, BaseModel) else value)
                if row is not None and stored is not None:
                    assert same(stored[0], row.model_dump()["it"]), f"{spec}: {value!r} came back as {stored[0]!r}"
                yield value, row is not None, stored is not None

    def _store(self, spec: Spec, value: Any) -> tuple[Any] | None:
        """The value as it is read back; None if the table, or psycopg before it, refuses it."""
        wrapped = Jsonb(value) if spec.is_json and not (value is None and spec.kind != "json_any") else value
        try:
            with self.connection.transaction(force_rollback=True):
                inserted = self.connection.execute("INSERT INTO parity.probes (probe_id, it) VALUES (1, %s) RETURNING it", [wrapped])
        except (psycopg.Error, UnicodeError, TypeError, ValueError, RecursionError):
            return None
        try:
            row: tuple[Any] | None = inserted.fetchone()
        except psycopg.DataError:
            return ("no value of Python's",)
        return row


def accepted(model: type[Table], value: Any) -> Table | None:
    try:
        return model.model_validate({"probe_id": 1, "it": value})
    except ValidationError:
        return None


def same(stored: Any, held: Any) -> bool:
    """Whether a value was kept. A number of JSON is a number, whether Python wrote it as an int or as a float."""
    if isinstance(held, dict):
        return isinstance(stored, dict) and stored.keys() == held.keys() and all(same(stored[key], held[key]) for key in held)
    if isinstance(held, list):
        return isinstance(stored, list) and len(stored) == len(held) and all(map(same, stored, held))
    return bool(stored == held) or (isinstance(held, float) and type(stored) is int and float(stored) == held)


@pytest.fixture
def bench(module_database: Database) -> Iterator[Bench]:
    with module_database.connect(autocommit=False) as connection:
        yield Bench(connection)
        connection.rollback()


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_and_its_table_agree(kind: str, bench: Bench) -> None:
    annotations, values, constraining = KINDS[kind]
    specs = st.builds(Spec, st.just(kind), annotations, constraining, st.booleans())
    seen = {(True, True): 0, (False, False): 0, (False, True): 0, (True, False): 0}

    @PROFILE
    @given(specs, st.lists(values | st.sampled_from(STRANGERS), min_size=4, max_size=10))
    def agree(spec: Spec, drawn: list[Any]) -> None:
        try:
            for value, modelled, stored in bench.compare(spec, drawn):
                seen[modelled, stored] += 1
                if modelled != stored:
                    assert not modelled, f"{spec}: the model takes {value!r} and the table refuses it"
                    assert any(known.applies(spec, value) for known in DIVERGENCES), (
                        f"{spec}: the table takes {value!r}, the model does not"
                    )
        except RefusedError:
            reject()

    agree()
    # A test that saw one side only would show nothing.
    assert seen[True, True] > 20
    assert seen[False, False] > 20 or kind == "json_any"


# Each trap against each constraint by itself, for chance might not pair them.
TRAPS: dict[str, tuple[list[Spec], list[Any]]] = {
    "int": (
        [Spec("int", int, ((bound, value),)) for bound in ("ge", "gt", "le", "lt") for value in (-(2**31), 0, 6, 2**31 - 1, 2**31)]
        + [Spec("int", int, (("multiple_of", 3),))],
        [value + step for value in INTEGERS for step in (-1, 0, 1)] + [True, 1.0],
    ),
    "float": (
        [Spec("float", float)]
        + [Spec("float", float, ((bound, value),)) for bound in ("ge", "gt", "le", "lt") for value in (-1.5, 0, 0.1, 2**53 + 1)],
        [*FLOATS, math.nan, math.inf, -math.inf, True, 2**53, 2**53 + 1, 10**308, 10**309],
    ),
    "str": (
        [Spec("str", str, (("pattern", pattern),)) for pattern in PATTERNS]
        + [Spec("str", str, ((bound, length),)) for bound in ("min_length", "max_length") for length in (1, 2, 3)],
        TEXTS,
    ),
    "decimal": (
        [
            Spec("decimal", Decimal, (("max_digits", digits), ("decimal_places", scale), *bound))
            for digits, scale in ((5, 2), (3, 0), (3, 2))
            for bound in ((), (("ge", 0),), (("lt", Decimal("99.99")),))
        ],
        DECIMALS,
    ),
    "moment": ([Spec("moment", AwareDatetime)], [*MOMENTS, *STRANGERS]),
    "date": ([Spec("date", date)], [*DATES, *STRANGERS]),
    "array_int": (
        [Spec("array_int", list[element]) for element in (int, Annotated[int, Field(ge=0)], Annotated[int, Field(lt=2**31)])],  # type: ignore[valid-type]
        [[], [None], [0, None], [-1], [2**31], [2**31 - 1], [2**63 - 1], [2**63], [True], [0, 1], [[0]], [[]]],
    ),
    "array_float": (
        [Spec("array_float", list[element]) for element in (float, Annotated[float, Field(ge=0)], Annotated[float, Field(lt=1)])],  # type: ignore[valid-type]
        [[], [None], [math.nan], [math.inf], [-math.inf], [0.5, math.nan], [-1.0], [1.0], [0.0, None]],
    ),
}


@pytest.mark.parametrize("kind", TRAPS)
@pytest.mark.parametrize("nullable", [False, True], ids=["required", "optional"])
def test_the_traps_are_none(kind: str, nullable: bool, bench: Bench) -> None:
    specs, values = TRAPS[kind]
    for spec in specs:
        for value, modelled, stored in bench.compare(replace(spec, nullable=nullable), [*values, None]):
            known = stored and any(divergence.applies(spec, value) for divergence in DIVERGENCES)
            assert modelled == stored or known, f"{spec}: {'the model' if modelled else 'the table'} alone takes {value!r}"


@pytest.mark.parametrize("known", DIVERGENCES, ids=lambda known: known.name)
def test_each_known_divergence_is_one_and_is_explained(known: Divergence, bench: Bench) -> None:
    spec, value = known.example
    assert known.applies(spec, value)
    assert list(bench.compare(spec, [value])) == [(value, False, True)]
    assert f"**{known.name}.**" in DECISION.read_text()


def test_the_decision_explains_no_divergence_that_is_not_listed() -> None:
    said = {line.split("**")[1].removesuffix(".") for line in DECISION.read_text().splitlines() if line.startswith("- **")}
    assert said == {known.name for known in DIVERGENCES}


def test_a_model_is_bounded_as_its_column_is_without_saying_so(bench: Bench) -> None:
    spec = Spec("int", int)
    taken = [2**31 - 1, -(2**31)]
    assert list(bench.compare(spec, [*taken, 2**31, -(2**31) - 1])) == [
        *((value, True, True) for value in taken), (2**31, False, False), (-(2**31) - 1, False, False),
    ]  # fmt: skip


def test_json_that_no_jsonb_holds_is_refused_by_both(bench: Bench) -> None:
    spec = Spec("json_any", Any)
    values = ["\0", {"a\0": 1}, "\ud800", {"\ud800": 1}, math.nan, [math.inf], 10**5000, Decimal(1), b"x", {1, 2}, UUID(int=1)]
    assert [(modelled, stored) for _, modelled, stored in bench.compare(spec, values)] == [(False, False)] * len(values)


def test_json_dumps_is_what_writes_documents() -> None:
    """The divergence of the writer is Python's: if psycopg wrote JSON otherwise, the list above would be stale."""
    assert json.dumps({1: (2,)}) == '{"1": [2]}'
