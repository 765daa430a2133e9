"""Patterns mean the same in Pydantic and in PostgreSQL, or are refused."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic.types import StringConstraints

from codegen.patterns import to_postgres
from codegen.refusal import RefusedError
from tests.py.support.server import Database

SAME = [
    "^[a-z_][a-z0-9_]*$",
    "^(parameters|previous)$",
    "^(?:a|b)+$",
    "a{2,3}b?",
    "^[^/]+/$",
    r"^[A-Z]+:[0-9]+(\.[0-9]+)?$",
    r"^[\]\-x]$",
    "[+-]",
    "é|ß",
    "a.c",
    "^$",
]


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d", r"\w+", r"\bfoo", r"\<a", r"\n", "(?i)a", "(?=a)", "(?P<x>a)", "a**", "a+?", "*a", "^*", "a|", "(|a)", "()", "(a", "a)",
        "[a", "[]", "[[:alpha:]]", "[a&&b]", "[a--b]", "a{256}", "a{3,2}", "a{x}", "a{", "a}", "]", "", "a\tb",
    ],
)  # fmt: skip
def test_what_the_engines_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(RefusedError, match="pattern"):
        to_postgres(pattern, "Model.field")


@pytest.mark.parametrize("pattern", SAME)
def test_what_is_allowed_matches_the_same(pattern: str, module_database: Database) -> None:
    adapter = TypeAdapter[str](Annotated[str, StringConstraints(pattern=pattern)])
    written = to_postgres(pattern, "Model.field")

    with module_database.connect() as connection:

        @settings(max_examples=150)
        @given(st.text(st.sampled_from("abcxz019_-/:.+]\\AZ éß\n٣K"), max_size=8))
        def agrees(value: str) -> None:
            row = connection.execute("SELECT %s ~ %s", [value, written]).fetchone()
            assert row is not None
            assert row[0] == accepts(adapter, value)

        agrees()


def accepts(adapter: TypeAdapter[str], value: str) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True
