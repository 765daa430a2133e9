"""What may be sent as jsonb: refused by name where PostgreSQL would refuse it, made plain where it only describes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.encoding import NotJsonError, encode, plain

DEEP: Any = []
for _ in range(100):
    DEEP = [DEEP]


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": {"b": float("nan")}}, "$.a.b"),
        ({"a": [1, float("inf")]}, "$.a[1]"),
        ({"a": "x\x00y"}, "NUL character at $.a"),
        ({"x\x00y": 1}, "NUL"),
        ({"a": "\ud800"}, "lone surrogate at $.a"),
        ({1: "a"}, "key of type int"),
        ({"a": datetime.now(UTC)}, "datetime at $.a"),
        ({"a": b"bytes"}, "bytes at $.a"),
        ({"a": {1, 2}}, "set at $.a"),
        ({"a": 10**5000}, "integer"),
        ({"a": DEEP}, "nested deeper"),
    ],
)
def test_refuses_what_jsonb_refuses_and_names_the_place(value: Any, place: str) -> None:
    with pytest.raises(NotJsonError, match=place.replace("$", r"\$").replace("[", r"\[").replace("]", r"\]")):
        encode(value)


def test_refuses_a_value_that_contains_itself() -> None:
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(NotJsonError):
        encode(value)


def test_keeps_what_json_can_say() -> None:
    value = {"text": "å🌍\n", "int": 2**70, "float": 1.5, "none": None, "bool": True, "list": [1, (2, 3)]}
    assert json.loads(encode(value)) == {**value, "list": [1, [2, 3]]}


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters())
        | st.binary()
        | st.dates()
        | st.builds(Unspeakable),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=4),
        max_leaves=20,
    )
)
def test_plain_makes_anything_acceptable(value: Any) -> None:
    encode(plain(value))


def test_plain_is_bounded() -> None:
    assert len(plain("x" * 10_000)) == 2000
    assert len(plain(list(range(1000)))) == 51
    assert plain({"path": Path("/a")}) == {"path": "PosixPath('/a')"}
