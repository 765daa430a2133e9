"""What a column is called, what its type is, and that no value becomes another one in silence."""

from __future__ import annotations

import json
import math
import sqlite3
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from tests.py.vector.conftest import Mill
from tests.py.vector.test_torture import collection, feature
from workers.geo_table import ColumnType
from workers.vector import widening
from workers.vector.alterations import IMPOSSIBLE_VALUE, ZONE_MISSING, Alterations
from workers.vector.widening import Seen

POINT = {"type": "Point", "coordinates": [1, 2]}
INTEGERS = st.integers(-(2**70), 2**70)
NUMBERS = INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=20) | st.dates().map(date.isoformat) | st.datetimes().map(datetime.isoformat)
SCALARS = st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    st.none() | SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
COLUMNS = (
    st.lists(st.none() | INTEGERS) | st.lists(st.none() | NUMBERS) | st.lists(st.none() | TEXTS) | st.lists(st.none() | st.lists(SCALARS))
    | st.lists(st.none() | st.lists(INTEGERS)) | st.lists(SCALARS) | st.lists(VALUES)
)  # fmt: skip
RANGES = {ColumnType.INTEGER: 2**31, ColumnType.BIGINT: 2**63}


def type_of(values: list[Any]) -> ColumnType:
    seen = Seen()
    seen.add(values)
    return seen.type


@given(COLUMNS)
def test_no_value_of_json_becomes_another(values: list[Any]) -> None:
    type_, altered = type_of(values), Alterations()
    for value, kept in zip(values, widening.convert(values, type_, "c", altered), strict=True):
        if value is None:
            assert kept is None
        elif type_ in RANGES:
            assert kept == value
            assert -RANGES[type_] <= kept < RANGES[type_]
        elif type_ in (ColumnType.NUMERIC, ColumnType.DOUBLE):
            # Equal as numbers, to the last digit: Python compares int, float and Decimal exactly.
            assert kept == value or Decimal(repr(value)) == kept
        elif type_ in (ColumnType.DATE, ColumnType.TIMESTAMPTZ):
            assert (kept.replace(tzinfo=None) if isinstance(kept, datetime) else kept) == type(kept).fromisoformat(value)
        elif type_ is ColumnType.TEXT:
            assert kept == (value if isinstance(value, str) else json.dumps(value)).replace("\x00", "")
        elif type_ is ColumnType.JSONB:
            assert json.loads(json.dumps(kept.obj)) == json.loads(json.dumps(value).replace("\\u0000", "")) or "\\\\" in json.dumps(value)
        elif type_ is ColumnType.TEXTS:
            assert kept == [None if one is None else one.replace("\x00", "") for one in value]
        else:
            assert kept == value
    assert IMPOSSIBLE_VALUE not in altered.counts


@given(st.lists(COLUMNS, min_size=2, max_size=4))
def test_the_order_of_parts_does_not_matter(parts: list[list[Any]]) -> None:
    at_once, one_by_one, backwards = Seen(), Seen(), Seen()
    at_once.add([value for part in parts for value in part])
    for part in parts:
        one_by_one.add(part)
    for part in reversed(parts):
        backwards.add(part)
    assert at_once.type == one_by_one.type == backwards.type


@given(
    st.lists(st.sampled_from(["", "0", "-1", "007", "1.50", "1e3", "9" * 25, "0." + "3" * 20, "true", "False", "x", "2024-02-28"]) | TEXTS)
)
def test_no_written_value_becomes_another(values: list[str]) -> None:
    seen, altered = Seen(), Alterations()
    seen.add_written(values)
    for value, kept in zip(values, widening.convert_written(values, seen.type, "c", altered), strict=True):
        if value == "":
            assert kept is None
        elif seen.type in (ColumnType.INTEGER, ColumnType.BIGINT, ColumnType.NUMERIC):
            assert Decimal(value) == kept
        elif seen.type is ColumnType.DOUBLE:
            assert Decimal(repr(kept)) == Decimal(value) or float(value) == kept
        elif seen.type is ColumnType.BOOLEAN:
            assert str(kept).lower() == value.lower()
        elif seen.type is ColumnType.TEXT:
            assert kept == value.replace("\x00", "")


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([], ColumnType.TEXT),
        ([None], ColumnType.TEXT),
        ([True, None], ColumnType.BOOLEAN),
        ([1, 2**31 - 1], ColumnType.INTEGER),
        ([1, 2**31], ColumnType.BIGINT),
        ([1, 2**63], ColumnType.NUMERIC),
        ([1, 1.5], ColumnType.DOUBLE),
        ([2**53 + 1, 1.5], ColumnType.NUMERIC),
        (["2024-02-28", "2024-02-30"], ColumnType.DATE),
        (["2024-02-28", "2024-02-28T10:00:00Z"], ColumnType.TEXT),
        (["2024-02-28T10:00:00Z"], ColumnType.TIMESTAMPTZ),
        (["2024-13-01"], ColumnType.TEXT),
        ([True, 1], ColumnType.TEXT),
        ([1, "x"], ColumnType.TEXT),
        ([1, {"x": 1}], ColumnType.JSONB),
        ([[1], [2**40]], ColumnType.BIGINTS),
        ([[1], [1.5, None]], ColumnType.DOUBLES),
        ([["a"], []], ColumnType.TEXTS),
        ([[]], ColumnType.JSONB),
        ([[1], ["a"]], ColumnType.JSONB),
        ([[2**64]], ColumnType.JSONB),
        ([[[1]]], ColumnType.JSONB),
        ([[1], 1], ColumnType.JSONB),
    ],
)
def test_the_rule_for_types(values: list[Any], type_: ColumnType) -> None:
    assert type_of(values) is type_


def test_values_that_other_readers_change(mill: Mill) -> None:
    path = mill.write(
        "hard.geojson",
        collection(
            feature(
                POINT, big=2**63, vast=10**26, day="2024-02-30", at="2024-02-30T10:00:00Z", text="a\x00b", flag=True, mixed=1, half="\ud800"
            ),
            feature(POINT, big=-1, vast=1, day="2024-02-29", at="2024-02-29T10:00:00Z", text="b", flag=False, mixed="x", half="y"),
        ),
    )
    done = mill.ingest(path)
    rows = done.rows("big, vast, day, at AT TIME ZONE 'UTC' AS at, text, flag, mixed, half")
    assert (rows[0]["big"], rows[0]["vast"], rows[0]["text"], rows[0]["half"]) == (2**63, 10**26, "ab", "?")
    assert (rows[0]["day"], rows[0]["at"]) == (None, None)
    assert (rows[1]["day"], rows[1]["flag"], rows[0]["mixed"]) == (date(2024, 2, 29), False, "1")
    said = {one["code"]: one["message"] for one in done.report["warnings"]}
    assert "at 1, day 1" in said["IMPOSSIBLE_VALUES"]
    assert {"NUL_REMOVED", "CHARACTERS_REPLACED"} <= set(said)


def test_days_that_do_not_exist_in_files_that_have_dates(mill: Mill) -> None:
    table = pa.table({"d": pa.array([date(2024, 2, 28)] * 3, pa.date32()), "geom": pa.array([shapely.to_wkb(shapely.Point(1, 2))] * 3)})
    for driver, suffix in (("GPKG", "gpkg"), ("ESRI Shapefile", "shp")):
        path = mill.sources / f"days.{suffix}"
        pyogrio.write_arrow(table, path, driver=driver, geometry_name="geom", geometry_type="Point", crs="EPSG:4326")
        if suffix == "shp":
            content = path.with_suffix(".dbf").read_bytes()
            path.with_suffix(".dbf").write_bytes(content.replace(b"20240228", b"20240230", 1))
        else:
            with sqlite3.connect(path) as connection:
                for [name] in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                    connection.execute(f'DROP TRIGGER "{name}"')
                connection.execute("UPDATE days SET d = '2024-02-30' WHERE fid = 1")
        done = mill.ingest(path)
        assert [row["d"] for row in done.rows("d")] == [None, date(2024, 2, 28), date(2024, 2, 28)]
        assert "IMPOSSIBLE_VALUES" in done.warnings


def test_long_integers_of_a_shapefile(mill: Mill) -> None:
    path = mill.sources / "long.shp"
    frame = gpd.GeoDataFrame({"a": [1, 2, 3]}, geometry=[shapely.Point(1, 2)] * 3, crs=4326)
    pyogrio.write_dataframe(frame, path, driver="ESRI Shapefile")
    head = bytearray(path.with_suffix(".dbf").read_bytes())
    length, width = int.from_bytes(head[10:12], "little"), 20
    head[10:12] = (length - head[48] + width).to_bytes(2, "little")
    head[48] = width
    start = int.from_bytes(head[8:10], "little")
    values = ["9223372036854775809", "-1", "*" * 20]
    path.with_suffix(".dbf").write_bytes(bytes(head[:start]) + b"".join(b" " + value.rjust(width).encode() for value in values) + b"\x1a")
    done = mill.ingest(path)
    assert [row["a"] for row in done.rows("a")] == [2**63 + 1, -1, None]


def test_missing_times_and_numbers_of_parquet(mill: Mill) -> None:
    frame = gpd.GeoDataFrame(
        {
            "at": pd.to_datetime(["2024-02-28T10:00:00.123456789", None]),
            "zoned": pd.to_datetime(["2024-02-28T10:00:00+02:00", None], utc=True),
            "nan": [math.nan, 1.5],
            "money": pd.array([Decimal("1.10"), None], dtype=pd.ArrowDtype(pa.decimal128(20, 2))),
            "kind": pd.Categorical(["a", None]),
            "length": pd.to_timedelta([1, None], unit="s"),
        },
        geometry=[shapely.Point(1, 2)] * 2,
        crs=4326,
    )
    path = mill.sources / "missing.parquet"
    frame.to_parquet(path)
    done = mill.ingest(path)
    types = {column["name"]: column["type"] for column in done.report["columns"]}
    assert types == {
        "at": "timestamptz", "zoned": "timestamptz", "nan": "double precision", "money": "numeric", "kind": "text", "length": "text",
    }  # fmt: skip
    rows = done.rows("at AT TIME ZONE 'UTC' AS at, zoned AT TIME ZONE 'UTC' AS zoned, money, kind")
    assert [str(value) for value in rows[0].values()] == ["2024-02-28 10:00:00.123456", "2024-02-28 08:00:00", "1.10", "a"]
    assert set(rows[1].values()) == {None}
    assert "TIME_ZONE_ASSUMED" in done.warnings


def test_names_that_are_wanted(mill: Mill) -> None:
    path = mill.write("map.geojson", collection(feature(POINT, **{"Größe (m)": 1, "b": 2, "size": 3, "objectid": 4})))
    done = mill.ingest(path, column_map={"Größe (m)": "size", "objectid": "feature_number"}, indexes=["size"])
    assert {column["original"]: column["name"] for column in done.report["columns"]} == {
        "Größe (m)": "size", "b": "b", "size": "size_2", "objectid": "feature_number",
    }  # fmt: skip
    assert done.rows("size, size_2, feature_number") == [{"size": 1, "size_2": 3, "feature_number": 4}]
    for wrong in ({"c": "d"}, {"b": "objectid"}, {"b": "geom"}, {"b": "x", "size": "x"}, {"b": "A b"}, {"b": 1}, {"b": "1a"}, {"b": None}):
        error = mill.refused(path, column_map=wrong)
        assert (error["code"], error["category"], error["field"]) == ("COLUMN_MAP_REFUSED", "user", "column_map")


def test_times_without_a_zone_are_counted() -> None:
    altered = Alterations()
    assert widening.convert(["2024-02-28T10:00:00"], ColumnType.TIMESTAMPTZ, "at", altered)[0].isoformat() == "2024-02-28T10:00:00+00:00"
    assert altered.counts[ZONE_MISSING] == {"at": 1}
