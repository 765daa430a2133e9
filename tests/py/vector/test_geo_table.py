"""GeoTableBuilder on its own: names, types, statements; and that PostgreSQL takes every one of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import geopandas as gpd
import pandas as pd
import psycopg
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from tests.py.support.server import Database
from workers.errors import TaskError
from workers.geo_table import (
    STANDARD_COLUMNS,
    ColumnType,
    GeometryColumn,
    GeoTableBuilder,
    LayerDescription,
    SourceColumn,
    bounded,
    column_geometry,
    index_name,
    rename_statements,
    trigger_name,
)

BUILDER = GeoTableBuilder()
ARCGIS = GeoTableBuilder(geometry_column=GeometryColumn.ARCGIS)


def text_columns(*names: str) -> list[SourceColumn]:
    return [SourceColumn(name, ColumnType.TEXT) for name in names]


def rendered(statements: list[sql.Composed]) -> str:
    return ";\n".join(statement.as_string() for statement in statements)


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("POP_EST", "pop_est"),
        ("name:en", "name_en"),
        ("2020", "_2020"),
        ("select", "select"),
        ("a%b", "a_b"),
        ("naïve", "na_ve"),
        ("", "column"),
        ("objectid", "objectid_2"),
        ("GEOM", "geom_2"),
        ("shape", "shape"),
        ("ctid", "ctid_2"),
        ("OID", "oid"),
    ],
)
def test_the_rule_for_names(original: str, name: str) -> None:
    assert [column.name for column in BUILDER.name_columns(text_columns(original))] == [name]


def test_the_geometry_column_of_arcgis() -> None:
    assert [column.name for column in ARCGIS.name_columns(text_columns("shape", "geom"))] == ["shape_2", "geom"]


def test_what_is_taken_is_numbered_in_order() -> None:
    columns = BUILDER.name_columns(text_columns("a", "A", "a_2", "a", "Created_At"))
    assert [column.name for column in columns] == ["a", "a_2", "a_2_2", "a_3", "created_at_2"]


@given(st.lists(st.text(max_size=90) | st.sampled_from([*STANDARD_COLUMNS, "geom", "x" * 63, "x" * 64, "X" * 64]), max_size=40))
def test_any_names_become_distinct_identifiers(names: list[str]) -> None:
    columns = BUILDER.name_columns(text_columns(*names))
    assert [column.original for column in columns] == names
    found = [column.name for column in columns]
    assert len(set(found)) == len(found)
    assert not set(found) & {*STANDARD_COLUMNS, "geom", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) for name in found)
    assert columns == BUILDER.name_columns(text_columns(*names))
    rendered(BUILDER.create_complete_ddl(LayerDescription(text_columns(*names), "POINT"), "t"))


@given(st.text(alphabet="abc_é", max_size=200))
def test_names_of_objects_fit(name: str) -> None:
    assert len(bounded(name).encode()) <= 63
    assert bounded(name) == name or len(name.encode()) > 63


def test_long_names_stay_apart() -> None:
    one, other = "t" * 60 + "_a", "t" * 60 + "_b"
    assert index_name(one, "geom") != index_name(other, "geom")
    assert trigger_name(one) != trigger_name(other)


@pytest.mark.parametrize("name", ["", "Table", "1table", "ta ble", "x" * 64, 't"; DROP'])
def test_table_names_that_are_refused(name: str) -> None:
    with pytest.raises(TaskError) as refusal:
        BUILDER.create_complete_ddl(LayerDescription([], "POINT"), name)
    assert refusal.value.detail.code == "TABLE_NAME_REFUSED"


def test_other_refusals() -> None:
    with pytest.raises(TaskError, match="1501 columns"):
        BUILDER.name_columns(text_columns(*(f"c{number}" for number in range(1501))))
    with pytest.raises(TaskError) as refusal:
        BUILDER.create_complete_ddl(LayerDescription([], "POINT, 4326); DROP"), "t")
    assert refusal.value.detail.code == "GEOMETRY_TYPE_REFUSED"
    with pytest.raises(TaskError) as refusal:
        BUILDER.create_complete_ddl(gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(1, 2)]), "t")
    assert refusal.value.detail.code == "CRS_MISSING"


def test_geometry_types() -> None:
    assert column_geometry({"POLYGON"}) == column_geometry({"POLYGON", "MULTIPOLYGON"}) == "MULTIPOLYGON"
    assert column_geometry({"POINT"}) == "POINT"
    assert column_geometry({"POINT", "MULTIPOINT"}, has_z=True) == "MULTIPOINTZ"
    assert column_geometry({"POINT", "POLYGON"}) == column_geometry(set()) == column_geometry({"GEOMETRYCOLLECTION"}) == "GEOMETRY"


@pytest.fixture(scope="module")
def frame() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "Name %s": ["a", None],
            "small": pd.array([1, 2], dtype="int16"),
            "whole": [1, 2],
            "missing": pd.array([1, None], dtype="Int32"),
            "vast": [2**70, 1],
            "unsigned": pd.array([1, 2], dtype="uint64"),
            "real": [1.5, None],
            "yes": [True, False],
            "maybe": [True, None],
            "at": [datetime(2024, 2, 28, tzinfo=UTC), None],
            "day": [date(2024, 2, 28), None],
            "doc": [{"a": 1}, [1]],
            "bytes": [b"x", None],
            "kind": pd.Categorical(["x", "y"]),
            "nothing": [None, None],
        },
        geometry=[shapely.box(0, 0, 1, 1), shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])],
        crs=4326,
    )


def test_types_of_a_frame(frame: gpd.GeoDataFrame) -> None:
    described = LayerDescription.of_frame(frame)
    assert (described.geometry_type, described.srid) == ("MULTIPOLYGON", 4326)
    assert {column.original: column.type.value for column in described.columns} == {
        "Name %s": "text", "small": "smallint", "whole": "bigint", "missing": "integer", "vast": "numeric", "unsigned": "numeric",
        "real": "double precision", "yes": "boolean", "maybe": "boolean", "at": "timestamptz", "day": "date", "doc": "jsonb",
        "bytes": "bytea", "kind": "text", "nothing": "text",
    }  # fmt: skip


def test_postgresql_takes_it(module_database: Database, frame: gpd.GeoDataFrame) -> None:
    long = "t" * 63
    with module_database.connect("worker", autocommit=False) as connection:
        for builder, table in ((BUILDER, "whole"), (ARCGIS, long)):
            for statement in builder.create_complete_ddl(frame, table, indexes=["whole", "day"], comment="100 % 'quoted'"):
                connection.execute(statement)
            columns = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum", (f"geo.{table}",)
            ).fetchall()
            assert [name for (name,) in columns[:12]] == [*STANDARD_COLUMNS, builder.geometry_column.value, "name__s"]
            connection.execute(sql.SQL("INSERT INTO {} (name__s) VALUES ('x')").format(sql.Identifier("geo", table)))
        with pytest.raises(psycopg.errors.DuplicateTable):
            connection.execute(BUILDER.create_complete_ddl(frame, "whole")[0])
        connection.rollback()


def test_renaming_takes_everything_along(module_database: Database) -> None:
    layer = LayerDescription(text_columns("a"), "POINT")
    with module_database.connect("worker", autocommit=False) as connection:
        for statement in BUILDER.create_complete_ddl(layer, "old_name"):
            connection.execute(statement)
        indexed = BUILDER.indexed_columns(BUILDER.name_columns(layer.columns))
        for statement in rename_statements(indexed, "old_name", "new_name"):
            connection.execute(statement)
        names = connection.execute(
            """
            SELECT relname FROM pg_class WHERE relnamespace = 'geo'::regnamespace
            UNION ALL SELECT tgname FROM pg_trigger WHERE tgrelid = 'geo.new_name'::regclass
            UNION ALL SELECT conname FROM pg_constraint WHERE conrelid = 'geo.new_name'::regclass
            """
        ).fetchall()
        connection.rollback()
    assert names
    assert not [name for (name,) in names if "old_name" in name]


def test_reserved_words_and_quotes_are_only_names() -> None:
    text = rendered(BUILDER.create_complete_ddl(LayerDescription(text_columns("select", 'x"; DROP TABLE y; --'), "POINT"), "order"))
    assert '"geo"."order"' in text
    assert '"select" text' in text
    assert '"x___drop_table_y____" text' in text


def test_a_table_made_without_the_engine_is_complete(module_database: Database, frame: gpd.GeoDataFrame) -> None:
    with module_database.connect("worker", autocommit=False) as connection:
        for statement in ARCGIS.create_complete_ddl(
            frame, "alone", column_map={"Name %s": "title"}, indexes=["title"], comment="x", readers=["geomill_reader"]
        ):
            connection.execute(statement)
        indexes = connection.execute(
            """
            SELECT i.relname, a.amname FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_am AS a ON a.oid = i.relam
             WHERE x.indrelid = 'geo.alone'::regclass
            """
        ).fetchall()
        assert dict(indexes) == {
            "alone_pkey": "btree", "idx_alone_shape": "gist", "idx_alone_stac_item_id": "btree", "idx_alone_stac_collection_id": "btree",
            "idx_alone_etl_job_id": "btree", "idx_alone_created_at": "btree", "idx_alone_title": "btree",
        }  # fmt: skip
        connection.execute("INSERT INTO geo.alone (title, updated_at) VALUES ('a', '2000-01-01')")
        connection.execute("UPDATE geo.alone SET title = 'b'")
        [row] = connection.execute("SELECT objectid, updated_at > created_at - interval '1 hour', title FROM geo.alone").fetchall()
        assert row == (1, True, "b")
        [facts] = connection.execute(
            """
            SELECT has_table_privilege('geomill_reader', 'geo.alone', 'SELECT'),
                   has_table_privilege('geomill_reader', 'geo.alone', 'INSERT'),
                   obj_description('geo.alone'::regclass), (SELECT tgname FROM pg_trigger WHERE tgrelid = 'geo.alone'::regclass),
                   (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = 'geo.alone'::regclass AND a.attnum > 0
                       AND a.attname <> 'shape' AND col_description(a.attrelid, a.attnum) IS NULL)
            """
        ).fetchall()
        assert facts == (True, False, "x", "trg_alone_updated_at", 0)
        connection.rollback()


@given(st.lists(st.text(max_size=70), max_size=8), st.data())
def test_wanted_names_are_the_names_and_the_others_make_way(names: list[str], data: st.DataObject) -> None:
    distinct = [name for name in set(names) if names.count(name) == 1]
    chosen = data.draw(st.lists(st.sampled_from(distinct), unique=True)) if distinct else []
    wanted = {name: f"wanted_{number}" for number, name in enumerate(chosen)}
    columns = BUILDER.name_columns(text_columns(*names), wanted)
    assert [column.original for column in columns] == names
    assert len({column.name for column in columns}) == len(names)
    assert all(column.name == wanted[column.original] for column in columns if column.original in wanted)
