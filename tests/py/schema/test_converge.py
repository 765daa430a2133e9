"""Pairs of models drawn at random converge: planned, deployed with every flag, planned again to nothing, taken back.

A plan may refuse, or rows may be against it; then nothing has changed. All else is a defect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql
from pydantic import AwareDatetime, Field, create_model

from codegen.desired import Desired
from codegen.models.base import Check, Column, Index, Policy, Table, table
from codegen.models.clock import now
from codegen.models.enums import DatabaseEnum
from tests.py.schema import journey, load

# What a column can be: its type, and defaults that it may have.
TYPES: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "integer": (Annotated[int, Field(ge=-5, le=2147483647)], [{"default": 1}]),
    "small": (Annotated[int, Field(ge=0, le=100)], [{"default": 7}]),
    "bigint": (Annotated[int, Field(ge=0, le=9223372036854775807)], [{"default": 2}]),
    "text": (str, [{"default": "a"}]),
    "short": (Annotated[str, Field(max_length=20)], [{"default": "b"}]),
    "pattern": (Annotated[str, Field(min_length=1, max_length=40)], []),
    "boolean": (bool, [{"default": True}]),
    "float": (float, [{"default": 1.5}]),
    "decimal": (Annotated[Decimal, Field(max_digits=8, decimal_places=2)], []),
    "moment": (AwareDatetime, [{"default_factory": now}]),
    "day": (date, []),
    "uuid": (UUID, [{"default_factory": uuid4}]),
    "object": (dict[str, Any], [{"default_factory": dict}]),
    "list": (list[int], [{"default_factory": list}]),
    "literal": (Literal["a", "b"], [{"default": "a"}]),
    "more": (Literal["a", "b", "c"], []),
    "enum": ("enum", []),
}
REFUSED = ("it is required, has no default, and its table has rows", "cannot cast type")
"""Why there may be no plan, or no way back."""

NUMBERS = frozenset({"integer", "small", "bigint"})


@dataclass(frozen=True)
class Drawn:
    """One column of one table."""

    type: str
    nullable: bool
    default: int
    unique: bool
    references: bool


@dataclass(frozen=True)
class Model:
    """Tables by name, each with columns by name; what hangs on them; the labels of the one enum."""

    tables: dict[str, dict[str, Drawn]]
    indexes: dict[str, tuple[str, ...]]
    policies: frozenset[str]
    checks: frozenset[str]
    filled: frozenset[str]
    labels: tuple[str, ...]
    hot: frozenset[str]


columns = st.builds(Drawn, st.sampled_from(sorted(TYPES)), st.booleans(), st.integers(0, 1), st.booleans(), st.booleans())
names = ("north", "south", "west")
fields = ("one", "two", "three", "four")
models = st.builds(
    Model,
    st.dictionaries(st.sampled_from(names), st.dictionaries(st.sampled_from(fields), columns, max_size=4), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(names), st.lists(st.sampled_from(fields), min_size=1, max_size=2, unique=True).map(tuple), max_size=2),
    st.frozensets(st.sampled_from(names), max_size=1),
    st.frozensets(st.sampled_from(names), max_size=2),
    st.frozensets(st.sampled_from(names)),
    st.permutations(["a", "b", "c", "d"]).flatmap(lambda labels: st.integers(1, 4).map(lambda count: tuple(labels[:count]))),
    st.frozensets(st.sampled_from([f"app.{name}" for name in names]), max_size=2),
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(old=models, new=models)
def test_random_models_converge(scratch: psycopg.Connection[Any], old: Model, new: Model) -> None:
    journey.settle(scratch, described(old), "".join(filling(name) for name in sorted(old.filled & old.tables.keys())))
    told = journey.travel(scratch, described(new))
    if told.plan is None:
        assert any(reason in told.lines[0] for reason in REFUSED), told.lines
    elif told.plan.irreversible:
        assert any(reason in told.plan.irreversible for reason in REFUSED), told.plan.irreversible


def filling(name: str) -> str:
    """One row, of defaults and of what each type may be; a table that cannot have it stays empty."""
    statement = sql.SQL("""
        DO $$
        DECLARE
            names text;
            row text;
        BEGIN
            SELECT string_agg(quote_ident(a.attname), ', '),
                   string_agg(CASE format_type(a.atttypid, NULL)
                                  WHEN 'text' THEN '''a''' WHEN 'character varying' THEN '''a''' WHEN 'boolean' THEN 'true'
                                  WHEN 'timestamp with time zone' THEN 'now()' WHEN 'date' THEN '''2026-01-01'''
                                  WHEN 'uuid' THEN 'gen_random_uuid()'
                                  WHEN 'jsonb' THEN CASE WHEN pg_get_constraintdef(c.oid) LIKE '%array%' THEN '''[]''' ELSE '''{{}}''' END
                                  WHEN 'app.mood' THEN '(enum_range(NULL::app.mood))[1]' ELSE '1' END, ', ')
              INTO names, row
              FROM pg_attribute AS a
              LEFT JOIN pg_constraint AS c ON c.conrelid = a.attrelid AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum]
                                          AND c.conname NOT LIKE '%_drawn'
             WHERE a.attrelid = {0}::regclass AND a.attnum > 0 AND NOT a.attisdropped;
            EXECUTE format('INSERT INTO %s (%s) VALUES (%s)', {0}::regclass, names, row);
        EXCEPTION WHEN foreign_key_violation THEN
            NULL;
        END;
        $$;
    """)
    return statement.format(sql.Literal(f"app.{name}")).as_string()


def described(model: Model) -> Desired:
    """The model as classes, as somebody would write it."""
    functional: Any = DatabaseEnum
    mood = functional("Mood", {label.upper(): label for label in model.labels})
    mood.__doc__ = "A mood."
    made = [_class(model, name, mood) for name in sorted(model.tables)]
    uses = any(column.type == "enum" for each in model.tables.values() for column in each.values())
    return load.schema(made, {"mood": mood} if uses else {}, hot=model.hot)


def _class(model: Model, name: str, mood: Any) -> type[Table]:
    drawn = model.tables[name]
    made: dict[str, Any] = {"key": (Annotated[int, Column(primary_key=True)], Field(ge=0, le=100, description="Key"))}
    for field, column in drawn.items():
        bare, defaults = TYPES[column.type]
        bare = mood if bare == "enum" else bare
        default: dict[str, Any] = defaults[0] if defaults and column.default else {}
        if column.nullable:
            bare = bare | None
            default = default or {"default": None}
        target = f"app.{min(model.tables)}" if column.references and column.type == "small" else None
        can_be_unique = column.unique and column.type not in ("object", "list")
        made[field] = (Annotated[bare, Column(unique=can_be_unique, references=target)], Field(**default, description=field.title()))
    indexed = tuple(field for field in model.indexes.get(name, ()) if field in drawn and drawn[field].type not in ("object", "list"))
    numbers = [field for field in drawn if drawn[field].type in NUMBERS]
    options = table(
        schema="app",
        name=name,
        indexes=[Index(indexed, name=f"idx_{name}_drawn")] if indexed else [],
        checks=[Check(f"{name}_drawn", f"{numbers[0]} < 1000000")] if numbers and name in model.checks else [],
        policies=[Policy("drawn", "geomill_api", f"{numbers[0]} > 0")] if numbers and name in model.policies else [],
    )
    model_class: type[Table] = create_model(name.title(), __base__=Table, **made)
    model_class.__table__ = options
    model_class.__doc__ = "A table."
    return model_class


def test_a_hot_table_goes_after_its_reference_to_another_that_goes(scratch: psycopg.Connection[Any]) -> None:
    """Both are taken from the claim path: reference first, each in a transaction of its own."""
    reference = Drawn("small", nullable=True, default=0, unique=True, references=True)
    plain = Drawn("integer", nullable=False, default=1, unique=True, references=False)
    nothing: frozenset[str] = frozenset()
    old = Model({"west": {"four": reference}, "north": {}, "south": {}}, {}, nothing, nothing, nothing, ("a", "b"), nothing)
    new = Model({"south": {"one": plain}}, {}, nothing, nothing, nothing, ("a", "b"), frozenset({"app.west", "app.north"}))
    test_random_models_converge.hypothesis.inner_test(scratch, old, new)  # type: ignore[attr-defined]
