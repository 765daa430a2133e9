"""What a request loads, as a GeoPackage: made before anybody sees the item that names it, and gone with it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, LiteralString

import geopandas
import psycopg
import pyogrio
import pytest
import shapely
from psycopg import sql

from codegen.messages.vector import PlannedColumn, SourceReport, VectorReport
from tests.py.support import s3
from tests.py.support.stac_extensions import problems
from tests.py.vector.conftest import Ingested, Mill
from tests.py.vector.killed import take_back, work_until
from tests.py.vector.test_round_trip import COMPARED, require_equal
from workers import consistency, object_store, stac
from workers.errors import TaskCancelled, TaskError
from workers.geo_table import ColumnType
from workers.storage import Storage
from workers.vector import geopackage

TYPE = "application/geopackage+sqlite3"


@pytest.fixture
def table() -> str:
    return f"t_{uuid.uuid4().hex[:10]}"


def points(mill: Mill, rows: int) -> Path:
    path = mill.sources / f"{uuid.uuid4().hex}.gpkg"
    frame = geopandas.GeoDataFrame({"n": range(rows)}, geometry=[shapely.Point(n / 10, 1) for n in range(rows)], crs="EPSG:4326")
    frame.to_file(path, driver="GPKG", engine="pyogrio", layer="points", geometry_type="Point")
    return path


def file_of(status: dict[str, Any]) -> Path:
    return Path(status["endpoints"]["data"].removeprefix("file://"))


def files(mill: Mill, request_id: str) -> list[str]:
    """What the storage has of a request, attempts' files included."""
    return [stored.name.partition(f"{request_id}/")[2] for stored in mill.storage.listed("") if request_id in stored.name]


def found(mill: Mill) -> list[tuple[str, str]]:
    with mill.database.connect("worker") as connection:
        return [(one.kind, one.subject) for one in consistency.find(connection, mill.storage, lambda: None)[0]]


def same_rows(done: Ingested, path: Path) -> None:
    """The file's layer has what the client reads in the table: keys, values, geometries to the last bit."""
    name = done.table.removeprefix("geo.")
    columns = [column["name"] for column in done.report["columns"]]
    back = pyogrio.read_dataframe(path, layer=name, fid_as_index=True, use_arrow=False)
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    rows = done.rows(sql.SQL("objectid, ST_AsBinary(geom) AS wkb, {}").format(listed))
    assert [*back.index] == [row["objectid"] for row in rows]
    assert [None if one is None else shapely.to_wkb(one, flavor="iso") for one in back.geometry] == [row["wkb"] for row in rows]
    assert pyogrio.read_info(path, layer=name)["crs"] == f"EPSG:{done.report['srid']}"
    assert sorted(back.columns.drop("geometry")) == sorted(columns)


@pytest.mark.parametrize("name", ["nc.gpkg", "naturalearth_lowres.shp"])
def test_there_and_back(mill: Mill, name: str) -> None:
    """A real file to a table to a GeoPackage: the same geometries and attributes as in the file."""
    source = mill.place(name)
    truth = pyogrio.read_dataframe(source)
    truth = truth.drop(columns=[column for column in truth.columns.drop("geometry") if not truth[column].map(type).isin(COMPARED).all()])
    done = mill.ingest(source, target_crs=f"EPSG:{truth.crs.to_epsg()}", download="gpkg")
    path = file_of(done.status)
    same_rows(done, path)
    valid = truth.geometry.is_valid | truth.geometry.isna()
    back = pyogrio.read_dataframe(path)
    require_equal(truth[valid].reset_index(drop=True), back[valid.to_numpy()].reset_index(drop=True))
    with closing(sqlite3.connect(path)) as file:
        aliases = dict(file.execute("SELECT column_name, name FROM gpkg_data_columns WHERE name IS NOT NULL"))
        comments = dict(file.execute("SELECT column_name, description FROM gpkg_data_columns"))
    columns = done.report["columns"]
    assert aliases == {one["name"]: one["original"] for one in columns if one["name"] != one["original"]}
    assert comments == {one["name"]: f"{one['original']} in the source" for one in columns}


def test_the_item_and_the_status_name_it(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"), download="gpkg")
    item, path = done.status["stac_metadata"], file_of(done.status)
    assert problems(item, "item") == []
    assert item["assets"]["download"] == {
        "href": done.status["endpoints"]["data"],
        "type": TYPE,
        "title": f"GeoPackage, layer {done.table.removeprefix('geo.')}",
        "roles": ["data"],
        "file:size": path.stat().st_size,
        "file:checksum": stac.checksum(path, lambda: None),
    }
    assert files(mill, done.request_id) == [f"r1/{item['id']}.gpkg"]
    [kept] = mill.rows("SELECT content FROM pgstac.items WHERE id = %s", item["id"])
    assert kept["content"]["assets"]["download"]["href"] == item["assets"]["download"]["href"]
    assert found(mill) == []
    path.rename(path.with_suffix(".away"))
    assert sorted(kind for kind, _ in found(mill)) == ["file_lost", "file_of_nobody"]
    path.with_suffix(".away").rename(path)
    assert found(mill) == []


def test_without_being_asked_there_is_none(mill: Mill) -> None:
    done = mill.ingest(points(mill, 3))
    assert "data" not in done.status["endpoints"]
    assert files(mill, done.request_id) == []
    with pytest.raises(psycopg.Error) as refused:
        mill.submit(points(mill, 3), download="shp")
    assert '"field": "processing_config.download"' in (refused.value.diag.message_detail or "")


def test_a_layer_for_each_table(mill: Mill, table: str) -> None:
    source = points(mill, 5)
    geopandas.GeoDataFrame({"of": ["x"]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:4326").to_file(
        source, driver="GPKG", engine="pyogrio", layer="areas"
    )
    done = mill.ingest(source, table_name=table, layer="*", download="gpkg")
    path = file_of(done.status)
    layers = {name: pyogrio.read_info(path, layer=name)["features"] for name, _ in pyogrio.list_layers(path)}
    assert layers == {f"{table}_points": 5, f"{table}_areas": 1}
    assets = [item["assets"] for item in done.status["stac_metadata"]["features"]]
    assert [one["download"]["href"] for one in assets] == [done.status["endpoints"]["data"]] * 2
    assert [one["download"]["title"] for one in assets] == [f"GeoPackage, layer {name}" for name in layers]
    assert len(files(mill, done.request_id)) == 1


def test_what_is_split(mill: Mill, table: str) -> None:
    shapes = {"point": {"type": "Point", "coordinates": [1, 2]}, "line": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}
    features = [{"type": "Feature", "properties": {"kind": kind}, "geometry": shape} for kind, shape in shapes.items()]
    source = mill.write(f"{table}.geojson", {"type": "FeatureCollection", "features": features})
    done = mill.ingest(source, table_name=table, geometry_type="split", download="gpkg")
    path = file_of(done.status)
    kinds = {name: [*pyogrio.read_dataframe(path, layer=name)["kind"]] for name, _ in pyogrio.list_layers(path)}
    assert kinds == {f"{table}_points": ["point"], f"{table}_lines": ["line"]}


def test_of_rows_that_go_into_a_table_these_rows(mill: Mill, table: str) -> None:
    first = mill.ingest(points(mill, 4), table_name=table, download="gpkg")
    before = file_of(first.status).read_bytes()
    appended = mill.ingest(points(mill, 2), table_name=table, mode="append", download="gpkg")
    back = pyogrio.read_dataframe(file_of(appended.status), fid_as_index=True)
    assert ([*back["n"]], back.index.name) == ([0, 1], "fid"), "their keys in the table are others"
    assert pyogrio.read_info(file_of(appended.status))["layer_name"] == table
    assert appended.status["stac_metadata"]["properties"]["table:row_count"] == 2
    assert file_of(first.status).read_bytes() == before
    assert found(mill) == []


def test_a_new_revision_and_the_end(mill: Mill, table: str) -> None:
    first = mill.ingest(points(mill, 3), dataset=table, download="gpkg")
    old = file_of(first.status)
    request_id = mill.submit(points(mill, 7), dataset=table, download="gpkg", overwrite=True)
    mill.work(4)
    assert (request_id, mill.status(request_id)["endpoints"]["data"]) == (first.request_id, old.as_uri()), "until the new one is complete"
    assert old.exists()
    mill.work()
    status = mill.status(request_id)
    assert pyogrio.read_info(file_of(status))["features"] == 7
    assert files(mill, request_id) == [f"r2/{table}_r_v1.gpkg"]

    query = "SELECT platform.unpublish_request(%s, %s) AS said"
    [said] = mill.ddh.execute(query, (request_id, True)).fetchall()
    assert said["said"]["files"]["hrefs"] == [status["endpoints"]["data"]]
    mill.ddh.execute(query, (request_id, False))
    mill.work()
    assert mill.status(request_id)["status"] == "unpublished"
    assert files(mill, request_id) == []
    assert found(mill) == []


def test_it_goes_with_a_table_that_is_replaced(mill: Mill, table: str) -> None:
    first = mill.ingest(points(mill, 3), table_name=table, download="gpkg")
    mill.ingest(points(mill, 4), table_name=table, mode="replace")
    mill.work()
    assert mill.status(first.request_id)["endpoints"] is None
    assert files(mill, first.request_id) == []
    assert found(mill) == []


def test_killed_at_each_statement_there_is_one_file(mill: Mill, table: str) -> None:
    """And nobody is shown an item without it."""
    request_id = mill.submit(points(mill, 50), table_name=table, download="gpkg")
    mill.work(3)
    checksums = set()
    for statement in range(1, 200):
        ended = work_until(mill, statement)
        items = mill.rows("SELECT content FROM pgstac.items WHERE content #>> '{properties,geomill:request_id}' = %s", request_id)
        made = [name for name in files(mill, request_id) if ".attempt" not in name]
        checksums |= {stac.checksum(mill.storage.root / "ddh_v1" / request_id / name, lambda: None) for name in made}
        assert bool(items) == (mill.status(request_id)["status"] == "completed")
        assert not items or [items[0]["content"]["assets"]["download"]["file:checksum"]] == [*checksums]
        if ended:
            break
    assert statement > 3
    assert len(checksums) == 1, "each attempt makes the same file"
    assert files(mill, request_id) == [f"r1/{mill.status(request_id)['stac_metadata']['id']}.gpkg"]
    assert found(mill) == []


def test_killed_in_the_middle_of_the_file(mill: Mill, table: str) -> None:
    request_id = mill.submit(points(mill, 50), table_name=table, download="gpkg")
    mill.work(3)
    mill.worker_id = f"test-{uuid.uuid4().hex}"
    child = os.fork()
    if child == 0:
        made = geopackage._batch
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(geopackage, "BATCH_ROWS", 10)
            patch.setattr(geopackage, "_batch", lambda rows, schema: made(rows, schema) if rows[0][0] < 30 else os.kill(os.getpid(), 9))
            mill.work()
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    [half, *_] = files(mill, request_id)
    assert half.startswith("r1/.attempt-")
    take_back(mill)
    mill.worker_id = f"test-{uuid.uuid4().hex}"
    mill.work()
    assert files(mill, request_id) == [f"r1/{mill.status(request_id)['stac_metadata']['id']}.gpkg"]
    assert pyogrio.read_info(file_of(mill.status(request_id)))["features"] == 50


def test_an_item_is_not_published_once_its_file_is_gone(mill: Mill, table: str) -> None:
    request_id = mill.submit(points(mill, 3), table_name=table, download="gpkg")
    mill.work(4)
    [name] = files(mill, request_id)
    (mill.storage.root / "ddh_v1" / request_id / name).unlink()
    mill.work()
    assert mill.status(request_id)["error"]["code"] == "DOWNLOAD_GONE"
    staging = "SELECT FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND starts_with(relname, '_load_') AND relkind = 'r'"
    assert (mill.rows(staging), files(mill, request_id)) == ([], [])


VALUES: dict[ColumnType, tuple[LiteralString, Any]] = {
    ColumnType.BOOLEAN: ("true", True),
    ColumnType.SMALLINT: ("-32768", -(2**15)),
    ColumnType.INTEGER: ("2147483647", 2**31 - 1),
    ColumnType.BIGINT: ("9223372036854775807", 2**63 - 1),
    ColumnType.NUMERIC: ("18446744073709551615.000000000000000001", "18446744073709551615.000000000000000001"),
    ColumnType.REAL: ("'0.1'", pytest.approx(0.1, abs=1e-8)),
    ColumnType.DOUBLE: ("1e308::float8 / 3", 1e308 / 3),
    ColumnType.TEXT: ("'Ñandú ''x'''", "Ñandú 'x'"),
    ColumnType.DATE: ("'0001-01-01'", "0001-01-01"),
    ColumnType.TIME: ("'23:59:59.123456'", "23:59:59.123456"),
    ColumnType.TIMESTAMPTZ: ("'1915-01-28T06:31:06.877Z'", "1915-01-28T06:31:06.877Z"),
    ColumnType.BYTEA: (r"'\x00ff'", b"\x00\xff"),
    ColumnType.JSONB: ("""'{"a": [1, null]}'""", '{"a": [1, null]}'),
    ColumnType.BOOLEANS: ("'{t,f,NULL}'", "[true, false, null]"),
    ColumnType.INTEGERS: ("'{1,2}'", "[1, 2]"),
    ColumnType.BIGINTS: ("'{9223372036854775807}'", "[9223372036854775807]"),
    ColumnType.DOUBLES: ("'{0.1,NULL}'", "[0.1, null]"),
    ColumnType.TEXTS: ("""'{"a b",c}'""", '["a b", "c"]'),
}


def report_of(name: str, columns: dict[str, str], rows: int) -> VectorReport:
    planned = [PlannedColumn(name=column, type=type_, original=column.upper()) for column, type_ in columns.items()]
    return VectorReport(
        table=f"geo.{name}", geometry_column="shape", geometry_type="GEOMETRYZ", srid=3857, rows=rows, read=rows, rejected=0, repaired=0,
        bbox=[0.0, 0.0, 1.0, 1.0], columns=planned,
        source=SourceReport(file="a", format="gpkg", layer="a", crs="EPSG:3857", bytes=1, sha256="0" * 64, modified="2026-01-01T00:00:00Z"),
    )  # fmt: skip


@contextmanager
def made_table(
    mill: Mill, name: str, columns: Mapping[str, LiteralString], rows: Sequence[sql.Composed]
) -> Iterator[psycopg.Connection[Any]]:
    """A table with these columns; each of the rows is SQL, its geometry last."""
    made = sql.Identifier("geo", name)
    typed = [sql.SQL("{} {},").format(sql.Identifier(column), sql.SQL(type_)) for column, type_ in columns.items()]
    with mill.database.connect() as connection:
        connection.execute(
            sql.SQL("CREATE TABLE {} (objectid serial, {} shape geometry(GeometryZ, 3857))").format(made, sql.SQL(" ").join(typed))
        )
        for row in rows:
            connection.execute(sql.SQL("INSERT INTO {} VALUES (DEFAULT, {})").format(made, row))
        try:
            yield connection
        finally:
            connection.execute(sql.SQL("DROP TABLE {}").format(made))


POINT_Z = sql.SQL("ST_SetSRID('POINT Z (1 2 3)'::geometry, 3857)")


def test_each_type(mill: Mill, table: str, tmp_path: Path) -> None:
    """Every type that a column may have, its value and NULL, and names that the format has for itself."""
    assert set(VALUES) == set(ColumnType)
    columns = {type_.value.replace("[]", "s").replace(" ", "_"): type_.value for type_ in ColumnType} | {"fid": "text", "geom": "integer"}
    values = sql.SQL(", ").join([*(sql.SQL(VALUES[type_][0]) for type_ in ColumnType), sql.Literal("own"), sql.Literal(7), POINT_Z])
    nulls = sql.SQL(", ").join([sql.NULL] * (len(columns) + 1))
    path = tmp_path / "a.gpkg"
    with made_table(mill, table, columns, [values, nulls]) as connection, connection.transaction():
        report = report_of(table, columns, 2)
        geopackage.write(connection, path, report, table, lambda: None)
        geopackage.require_whole(path, [report])
        assert geopackage.differences(connection, [(report, table)]) == {}
    listed = ", ".join(f'"{name}"' for name in columns)
    with closing(sqlite3.connect(path)) as file:
        [(key, *row), (_, *second)] = file.execute(f"SELECT objectid, {listed} FROM {table} ORDER BY 1").fetchall()  # noqa: S608
        json = [name for (name,) in file.execute("SELECT column_name FROM gpkg_data_columns WHERE mime_type = 'application/json'")]
    assert (key, row) == (1, [*(VALUES[type_][1] for type_ in ColumnType), "own", 7])
    assert second == [None] * len(columns)
    assert json == ["jsonb", "booleans", "integers", "bigints", "double_precisions", "texts"]
    shapes = pyogrio.read_dataframe(path).geometry
    assert (shapes[0].coords[0], shapes[1]) == ((1.0, 2.0, 3.0), None)


def test_what_a_geopackage_cannot_have_is_counted(mill: Mill, table: str, tmp_path: Path) -> None:
    columns = {"size": "double precision", "day": "date", "at": "timestamptz"}
    values = (
        ("NaN", "infinity", "2024-02-29T12:00:00.123456Z"),
        ("-Infinity", "10000-01-01", "-infinity"),
        (1, "9999-12-31", "9999-12-31T23:59:59.999Z"),
        (1, "0001-12-31 BC", "1969-12-31T23:59:59.500Z"),
    )
    rows = [sql.SQL(", ").join([*map(sql.Literal, row), POINT_Z]) for row in values]
    with made_table(mill, table, columns, rows) as connection, connection.transaction():
        report = report_of(table, columns, 4)
        geopackage.write(connection, tmp_path / "a.gpkg", report, table, lambda: None)
        assert [*geopackage.differences(connection, [(report, table)]).values()] == [1, 3, 3]
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as file:
        back = file.execute(f"SELECT size, day, at FROM {table} ORDER BY 1 = 0, objectid").fetchall()  # noqa: S608
    assert [row[0] for row in back] == [None, float("-inf"), 1.0, 1.0]
    assert [row[1] for row in back] == [None, None, "9999-12-31", None]
    assert [row[2] for row in back[:3]] == ["2024-02-29T12:00:00.123Z", None, "9999-12-31T23:59:59.999Z"]


def test_the_client_is_told(mill: Mill) -> None:
    at = [datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)]
    source = mill.sources / f"{uuid.uuid4().hex}.parquet"
    geopandas.GeoDataFrame({"at": at, "day": [date(2024, 2, 29)]}, geometry=[shapely.Point(1, 1)], crs="EPSG:4326").to_parquet(source)
    done = mill.ingest(source, download="gpkg")
    [told] = [warning for warning in done.status["warnings"] if warning["code"] == "DOWNLOAD_DIFFERS"]
    assert "at (times have milliseconds, and years from 1 to 9999): 1" in told["message"]
    assert "day" not in told["message"]


def test_rows_come_in_batches_and_the_same_rows_make_the_same_file(
    mill: Mill, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, rows = {"n": "integer"}, [sql.SQL("{}, {}").format(sql.Literal(n), POINT_Z) for n in range(30)]
    checked: list[None] = []
    with made_table(mill, table, columns, rows) as connection, connection.transaction():
        report = report_of(table, columns, 30)
        for name in ("a.gpkg", "b.gpkg"):
            with geopackage.dated(datetime(2026, 1, 1, tzinfo=UTC)):
                geopackage.write(connection, tmp_path / name, report, table, lambda: checked.append(None))
        assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
        few = len(checked)
        monkeypatch.setattr(geopackage, "BATCH_BYTES", 100)
        geopackage.write(connection, tmp_path / "c.gpkg", report, table, lambda: checked.append(None))
        assert len(checked) - few >= 5
        assert [*pyogrio.read_dataframe(tmp_path / "c.gpkg")["n"]] == [*range(30)]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_cancellation_comes_through_as_itself(mill: Mill, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise TaskCancelled("cancelled")

    monkeypatch.setattr(geopackage, "BATCH_ROWS", 10)
    rows = [sql.SQL("{}, {}").format(sql.Literal(n), POINT_Z) for n in range(100)]
    with made_table(mill, table, {"n": "integer"}, rows) as connection, connection.transaction():
        report = report_of(table, {"n": "integer"}, 100)
        with pytest.raises(TaskCancelled):
            geopackage.write(connection, tmp_path / "a.gpkg", report, table, stop)
        assert connection.execute("SELECT 1").fetchone() == (1,), "the connection is as good as before"


def test_a_file_that_cannot_be_written(mill: Mill, table: str, tmp_path: Path) -> None:
    rows = [sql.SQL("repeat(md5({}), 100), {}").format(sql.Literal(str(n)), POINT_Z) for n in range(100)]
    with made_table(mill, table, {"n": "text"}, rows) as connection, connection.transaction():
        report = report_of(table, {"n": "text"}, 100)

        def make(path: Path) -> None:
            geopackage.write(connection, path, report, table, lambda: None)
            geopackage.require_whole(path, [report])

        for path, size in ((tmp_path / "none" / "a.gpkg", resource.RLIM_INFINITY), (tmp_path / "b.gpkg", 150_000)):
            with pytest.raises(TaskError) as caught, files_of_at_most(size):
                make(path)
            assert (caught.value.detail.code, caught.value.detail.retryable) == ("DOWNLOAD_NOT_WRITTEN", True)
        make(tmp_path / "c.gpkg")
        with pytest.raises(TaskError, match="100 rows instead of 99"):
            geopackage.require_whole(tmp_path / "c.gpkg", [report.model_copy(update={"rows": 99})])


@pytest.mark.slow
def test_in_a_bucket(mill: Mill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3.bucket() as bucket:
        for name, value in {**bucket.environment, "GEOMILL_SCRATCH": str(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        object_store._store.cache_clear()
        elsewhere = replace(mill, storage=Storage.at(f"{bucket.url}/out"))
        done = elsewhere.ingest(points(mill, 5), download="gpkg")
        [stored] = elsewhere.storage.listed("")
        assert done.status["endpoints"]["data"] == f"{bucket.url}/out/{stored.name}"
        assert stored.size == done.status["stac_metadata"]["assets"]["download"]["file:size"]
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    object_store._store.cache_clear()
