"""What is refused, and how it says so; layers, archives, chunks."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

from tests.py.vector.conftest import Mill
from workers.vector import gdal

POINT = """{"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}"""


def points(number: int) -> gpd.GeoDataFrame:
    places = shapely.points(np.linspace(-170, 170, number), np.linspace(-80, 80, number))
    return gpd.GeoDataFrame({"n": range(number)}, geometry=places, crs=4326)


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson", "a.fgb"])
@pytest.mark.parametrize("content", ["hello", POINT, "<OGRVRTDataSource/>"], ids=["text", "geojson", "vrt"])
def test_a_file_that_is_not_what_its_name_says(mill: Mill, name: str, content: str) -> None:
    if name == "a.geojson" and content == POINT:
        assert mill.ingest(mill.write(name, content)).value("count(*)") == 1
        return
    error = mill.refused(mill.write(name, content))
    assert (error["code"], error["category"], error["field"]) == ("SOURCE_WRONG_FORMAT", "data", "source_path")


def test_a_geopackage_called_geojson(mill: Mill) -> None:
    path = mill.place("nc.gpkg")
    lie = path.with_suffix(".geojson")
    shutil.copy(path, lie)
    error = mill.refused(lie)
    assert error["code"] == "SOURCE_WRONG_FORMAT"
    assert "GeoPackage" in error["message"]


def test_a_name_that_says_nothing_is_no_obstacle(mill: Mill) -> None:
    path = mill.sources / "counties.dat"
    shutil.copy(mill.place("nc.gpkg"), path)
    assert mill.ingest(path).value("count(*)") == 100
    assert mill.refused(mill.write("text.dat", "hello"))["code"] == "FORMAT_NOT_SUPPORTED"
    assert mill.refused(mill.write("lines.dat", '{"type": "Feature"}\n{"type": "Feature"}\n'))["code"] == "SOURCE_HAS_NO_GEOMETRY"


def test_a_file_that_is_not_there(mill: Mill) -> None:
    assert mill.refused(mill.sources / "missing.gpkg")["code"] == "SOURCE_NOT_FOUND"


def test_a_broken_file(mill: Mill) -> None:
    path = mill.place("nc.gpkg")
    path.write_bytes(path.read_bytes()[:5000])
    error = mill.refused(path)
    assert (error["code"], error["category"]) == ("SOURCE_UNREADABLE", "data")
    assert str(mill.sources) not in error["message"]
    half = mill.write("half.geojson", POINT[:-20])
    assert mill.refused(half)["code"] == "SOURCE_UNREADABLE"


def test_a_shapefile_without_its_parts(mill: Mill) -> None:
    path = mill.place("nc.shp")
    path.with_suffix(".dbf").unlink()
    assert mill.refused(path)["code"] == "SOURCE_INCOMPLETE"
    outside = mill.sources.parent / "outside.dbf"
    outside.write_bytes(b"not the client's")
    path.with_suffix(".dbf").symlink_to(outside)
    assert mill.refused(path)["code"] == "SOURCE_NOT_ALLOWED"


def test_a_name_that_pyogrio_would_read_as_another_files(mill: Mill) -> None:
    secret = mill.sources.parent / "secret.gpkg"
    shutil.copy(mill.place("nc.gpkg"), secret)
    folder = mill.sources / f"a!{secret.parent}"
    folder.mkdir(parents=True)
    shutil.copy(mill.place("nc.gpkg"), folder / secret.name)
    assert mill.refused(folder / secret.name)["code"] == "SOURCE_NAME_REFUSED"
    path = mill.sources / "member.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(mill.place("nc.gpkg"), "b!c.gpkg")
    assert mill.refused(path)["code"] == "SOURCE_NAME_REFUSED"


def test_nothing_to_ingest(mill: Mill) -> None:
    assert mill.refused(mill.write("empty.geojson", '{"type": "FeatureCollection", "features": []}'))["code"] == "SOURCE_HAS_NO_FEATURES"
    none = mill.write(
        "none.geojson", '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": null}]}'
    )
    assert mill.refused(none)["code"] == "SOURCE_HAS_NO_GEOMETRY"


@pytest.fixture
def layers(mill: Mill) -> Path:
    """A GeoPackage with two layers and a table without geometry; one layer has a name that wants quoting."""
    path = mill.sources / "layers.gpkg"
    path.unlink(missing_ok=True)
    points(3).to_file(path, layer="few", driver="GPKG")
    points(250).to_file(path, layer='ma"ny; --%s', driver="GPKG", mode="a")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE plain (fid INTEGER PRIMARY KEY, a TEXT)")
        connection.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('plain', 'attributes', 'plain')")
    return path


def test_a_layer_is_chosen_by_name(mill: Mill, layers: Path) -> None:
    error = mill.refused(layers)
    assert error["code"] == "LAYER_AMBIGUOUS"
    assert "few" in error["message"]
    assert mill.refused(layers, layer="none")["code"] == "LAYER_NOT_FOUND"
    assert mill.refused(layers, layer="plain")["code"] == "LAYER_NOT_SPATIAL"
    assert mill.ingest(layers, layer="few").value("count(*)") == 3
    assert mill.ingest(layers, layer='ma"ny; --%s', chunk_rows=100).value("count(*)") == 250


def test_a_zip_of_several_datasets(mill: Mill) -> None:
    path = mill.sources / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("nc.shp", "nc.shx", "nc.dbf", "nc.prj", "nc.gpkg"):
            archive.write(mill.place("nc.shp").with_name(name) if name != "nc.gpkg" else mill.place(name), f"inner/{name}")
        archive.writestr("readme.txt", "hello")
    assert mill.refused(path)["code"] == "LAYER_AMBIGUOUS"
    done = mill.ingest(path, layer="nc.shp")
    assert (done.value("count(*)"), done.report["source"]["member"]) == (100, "inner/nc.shp")
    text = mill.sources / "text.zip"
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert mill.refused(text)["code"] == "SOURCE_WRONG_FORMAT"


def chunks(mill: Mill, request_id: str) -> int:
    [row] = mill.rows(
        "SELECT s.tasks FROM app.stages AS s JOIN app.jobs AS j USING (job_id) WHERE j.platform_request_id = %s AND s.name = 'load'",
        request_id,
    )
    return int(row["tasks"])


@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
def test_chunks_cover_every_feature_once(mill: Mill, suffix: str) -> None:
    path = mill.sources / f"chunks.{suffix}"
    points(1000).to_file(path)
    if suffix == "gpkg":
        with sqlite3.connect(path) as connection:
            # Gaps, and ids of any width. The triggers are R-tree functions that SQLite alone lacks.
            for [name] in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f'DROP TRIGGER "{name}"')
            connection.execute("DELETE FROM chunks WHERE fid BETWEEN 100 AND 399")
            connection.execute("UPDATE chunks SET fid = fid + 5000000000 WHERE fid > 700")
        expected = [*range(99), *range(399, 1000)]
    else:
        table = path.with_suffix(".dbf")
        content = bytearray(table.read_bytes())
        start, length = int.from_bytes(content[8:10], "little"), int.from_bytes(content[10:12], "little")
        for record in (0, 99, 100, 101, 555, 999):
            content[start + record * length] = ord("*")
        table.write_bytes(content)
        expected = [n for n in range(1000) if n not in (0, 99, 100, 101, 555, 999)]
    done = mill.ingest(path, chunk_rows=100)
    assert sorted(row["n"] for row in done.rows("n")) == expected
    assert chunks(mill, done.request_id) == {"gpkg": 7, "shp": 10}[suffix]
    assert done.value("count(DISTINCT etl_batch_id)") == chunks(mill, done.request_id)


def test_chunks_of_ids_without_gaps_are_all_of_one_size(mill: Mill) -> None:
    path = mill.sources / "dense.gpkg"
    points(250).to_file(path)
    done = mill.ingest(path, chunk_rows=100)
    sizes = done.rows("count(*) AS n, min(n) AS first", "GROUP BY etl_batch_id ORDER BY etl_batch_id")
    assert sizes == [{"n": 100, "first": 0}, {"n": 100, "first": 100}, {"n": 50, "first": 200}]


def test_flatgeobuf(mill: Mill) -> None:
    path = mill.sources / "points.fgb"
    points(500).to_file(path, driver="FlatGeobuf")
    done = mill.ingest(path, chunk_rows=100)
    assert (done.value("count(*)"), done.report["source"]["format"]) == (500, "fgb")


def test_no_feature_is_lost_where_a_batch_ends_by_its_bytes(mill: Mill) -> None:
    path = mill.sources / "bytes.fgb"
    points(500).to_file(path, driver="FlatGeobuf")
    pyogrio.set_gdal_config_options({"OGR_ARROW_MEM_LIMIT": 2_000})
    try:
        done = mill.ingest(path)
    finally:
        pyogrio.set_gdal_config_options({"OGR_ARROW_MEM_LIMIT": gdal.BATCH_BYTES})
    assert done.value("count(DISTINCT n)") == 500


def test_a_file_that_changes_between_inspect_and_load(mill: Mill) -> None:
    path = mill.sources / "changing.gpkg"
    points(10).to_file(path)
    request_id = mill.submit(path)
    mill.work(1)
    points(11).to_file(path)
    mill.work()
    assert mill.status(request_id)["error"]["code"] == "SOURCE_CHANGED"
    assert mill.leftovers() == []
