"""app.next_cron_time against cronsim, which follows Debian's cron: every field, every zone, the changes of the clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.py.support.server import Database

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia"]
MONTHS = ["jan", "FEB", "Mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "Mon", "TUE", "wed", "thu", "fri", "sat"]

# One of these days the clocks of each zone change, near the hour given in UTC.
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2017, 10, 15, 3, tzinfo=UTC), datetime(2018, 2, 18, 2, tzinfo=UTC), datetime(2011, 12, 30, 10, tzinfo=UTC),
]  # fmt: skip


def _value(lowest: int, highest: int, names: list[str]) -> st.SearchStrategy[str]:
    numbers = st.integers(lowest, highest).map(str)
    return st.one_of(numbers, st.sampled_from(names)) if names else numbers


@st.composite
def _part(draw: st.DrawFn, lowest: int, highest: int, names: list[str]) -> str:
    kind = draw(st.sampled_from(["*", "value", "value", "range", "from"]))
    step = f"/{draw(st.integers(1, 20))}" if kind == "from" or (kind != "value" and draw(st.booleans())) else ""
    if kind == "*":
        return "*" + step
    if kind == "range":
        # cronsim takes a range of one value, with a step, for "from that value on".
        first = draw(st.integers(lowest, highest - 1))
        return f"{first}-{draw(st.integers(first + 1, highest))}{step}"
    return draw(_value(lowest, highest, names)) + step


def _field(lowest: int, highest: int, names: list[str] | None = None) -> st.SearchStrategy[str]:
    parts = st.lists(_part(lowest, highest, names or []), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), parts)


EXPRESSIONS = st.tuples(_field(0, 59), _field(0, 23), _field(1, 31), _field(1, 12, MONTHS), _field(0, 7, WEEKDAYS)).map(" ".join)
MOMENTS = st.one_of(
    st.integers(0, 2**31 // 60).map(lambda minutes: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes % 15_000_000)),
    st.tuples(st.sampled_from(CHANGES), st.integers(-1800, 300)).map(lambda near: near[0] + timedelta(minutes=near[1])),
)


@pytest.fixture(scope="module")
def cron(module_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with module_database.connect() as connection:
        yield connection


def _ours(cron: psycopg.Connection[Any], expression: str, after: datetime, zone: str) -> datetime | None:
    row = cron.execute("SELECT app.next_cron_time(%s, %s, %s)", (expression, after, zone)).fetchone()
    assert row is not None
    found: datetime | None = row[0]
    return found


def _theirs(expression: str, after: datetime, zone: str) -> datetime | None:
    """The first of cronsim's moments after `after`. It starts two days before: it has one date for both of a repeated hour."""
    try:
        moments = CronSim(expression, (after - timedelta(days=2)).astimezone(ZoneInfo(zone)))
        return next(moment.astimezone(UTC) for moment in moments if moment > after)
    except (CronSimError, StopIteration):
        return None


@settings(max_examples=400)
@given(EXPRESSIONS, MOMENTS, st.sampled_from(ZONES))
@example("30 2 * * *", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "Europe/Berlin")
@example("*/15 2 * * *", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), "Europe/Berlin")
@example("30 2 * * *", datetime(2026, 10, 25, 0, 40, tzinfo=UTC), "Europe/Berlin")
@example("0 12 30 12 *", datetime(2011, 12, 28, 0, 0, tzinfo=UTC), "Pacific/Apia")
@example("0 0 29 2 *", datetime(2096, 3, 1, tzinfo=UTC), "UTC")
@example("0 0 13 * fri", datetime(2026, 1, 1, tzinfo=UTC), "UTC")
def test_the_next_time_is_cronsims(cron: psycopg.Connection[Any], expression: str, after: datetime, zone: str) -> None:
    theirs = _theirs(expression, after, zone)
    # A rare day may lie further off than cronsim looks, or than ours does.
    assume(theirs is None or theirs < after + timedelta(days=365 * 39))
    assert _ours(cron, expression, after, zone) == theirs


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 * ", "* * * * 8", "5-1 * * * *",
     "*/0 * * * *", "a * * * *", "* * * feb-jan *", "* * * mon *", "1,,2 * * * *", "-1 * * * *", "1- * * * *", "* * * * mo", "0 0 30 2 *"],
)  # fmt: skip
def test_what_neither_knows(cron: psycopg.Connection[Any], expression: str) -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC)
    assert _theirs(expression, after, "UTC") is None
    assert _ours(cron, expression, after, "UTC") is None


def test_seconds_are_not_known(cron: psycopg.Connection[Any]) -> None:
    assert _ours(cron, "* * * * * *", datetime(2026, 1, 1, tzinfo=UTC), "UTC") is None
