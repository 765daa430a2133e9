"""Every format that is taken, known by its content, from the client's request to the rows that it reads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from tests.py.vector.conftest import Ingested, Mill
from workers.vector import delimited, formats, gdal, geojson
from workers.vector.formats import Format

PLACES = gpd.GeoDataFrame(
    {"name": ["Ñandú", "b, c", "d"], "number": [1, 2, None], "size": [0.5, 1.25, -3.0]},
    geometry=[shapely.Point(1, 2), shapely.Point(-3.5, 4.25), shapely.Point(179, -89)],
    crs=4326,
)


def lines(separator: str = "\n") -> str:
    features = PLACES.iterfeatures(na="null")
    return "".join(json.dumps({key: one[key] for key in ("type", "properties", "geometry")}) + separator for one in features)


def csv(mill: Mill) -> Path:
    return mill.write("places.csv", 'name,number,size,lat,lon\nÑandú,1,0.5,2,1\n"b, c",2,1.25,4.25,-3.5\nd,,-3.0,-89,179\n')


def written(driver: str, extension: str, **options: Any) -> Callable[[Mill], Path]:
    def write(mill: Mill) -> Path:
        path = mill.sources / f"places.{extension}"
        if not path.exists():
            pyogrio.write_dataframe(PLACES, path, driver=driver, layer="places", **options)
        return path

    return write


def parquet(encoding: str) -> Callable[[Mill], Path]:
    def write(mill: Mill) -> Path:
        path = mill.sources / f"{encoding}.parquet"
        PLACES.to_parquet(path, geometry_encoding=encoding, write_covering_bbox=encoding == "WKB")
        return path

    return write


def kmz(mill: Mill) -> Path:
    path = mill.sources / "places.kmz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(written("LIBKML", "kml")(mill), "doc.kml")
        archive.writestr("files/other.kml", "<kml xmlns='http://www.opengis.net/kml/2.2'><Document/></kml>")
    return path


def topojson(mill: Mill) -> Path:
    objects = [
        {"type": "Point", "coordinates": [point.x, point.y], "properties": {"name": name, "number": number, "size": size}}
        for name, number, size, point in zip(["Ñandú", "b, c", "d"], [1, 2, None], PLACES["size"], PLACES.geometry, strict=True)
    ]
    return mill.write(
        "places.topojson", {"type": "Topology", "arcs": [], "objects": {"places": {"type": "GeometryCollection", "geometries": objects}}}
    )


def esri(mill: Mill) -> Path:
    features = [
        {"attributes": {"name": name, "number": number, "size": size}, "geometry": {"x": point.x, "y": point.y}}
        for name, number, size, point in zip(["Ñandú", "b, c", "d"], [1, 2, None], PLACES["size"], PLACES.geometry, strict=True)
    ]
    kinds = {"name": "String", "number": "Integer", "size": "Double"}
    fields = [{"name": name, "type": f"esriFieldType{kind}"} for name, kind in kinds.items()]
    head = {"geometryType": "esriGeometryPoint", "spatialReference": {"wkid": 4326}}
    return mill.write("places.esrijson", {**head, "fields": fields, "features": features})


SOURCES: dict[str, tuple[Format, Callable[[Mill], Path]]] = {
    "shapefile": (Format.SHAPEFILE, written("ESRI Shapefile", "shp")),
    "geopackage": (Format.GEOPACKAGE, written("GPKG", "gpkg")),
    "geojson": (Format.GEOJSON, lambda mill: mill.write("places.geojson", PLACES.to_json())),
    "lines": (Format.GEOJSON_LINES, lambda mill: mill.write("places.geojsonl", lines())),
    "records": (Format.GEOJSON_LINES, lambda mill: mill.write("places.geojsons", "\x1e" + lines("\n\x1e").rstrip("\x1e"))),
    "topojson": (Format.TOPOJSON, topojson),
    "esri json": (Format.ESRI_JSON, esri),
    "flatgeobuf": (Format.FLATGEOBUF, written("FlatGeobuf", "fgb")),
    "file geodatabase": (Format.FILE_GEODATABASE, written("OpenFileGDB", "gdb")),
    "csv": (Format.CSV, csv),
    "kml": (Format.KML, written("LIBKML", "kml")),
    "kmz": (Format.KML, kmz),
    "gml": (Format.GML, written("GML", "gml")),
    "geoparquet": (Format.PARQUET, parquet("WKB")),
    "geoarrow": (Format.PARQUET, parquet("geoarrow")),
    "mapinfo tab": (Format.MAPINFO_TAB, written("MapInfo File", "tab", dataset_options={"FORMAT": "TAB"})),
    "mapinfo mif": (Format.MAPINFO_MIF, written("MapInfo File", "mif", dataset_options={"FORMAT": "MIF"})),
    "spatialite": (Format.SPATIALITE, written("SQLite", "sqlite")),
}


SHOWN_QUICKLY = ("csv", "gml", "flatgeobuf")


def check(done: Ingested, format_: Format) -> None:
    assert done.report["source"]["format"] == format_.value
    assert done.report["source"]["crs"] == "EPSG:4326"
    rows = done.rows("name, number, size, ST_X(geom) AS x, ST_Y(geom) AS y")
    # MapInfo has no number that is missing.
    none = 0 if format_ in (Format.MAPINFO_TAB, Format.MAPINFO_MIF) else None
    assert sorted((row["name"], None if row["number"] is None else int(row["number"]), float(row["size"])) for row in rows) == [
        ("b, c", 2, 1.25), ("d", none, -3.0), ("Ñandú", 1, 0.5),
    ]  # fmt: skip
    assert sorted((round(row["x"], 6), round(row["y"], 6)) for row in rows) == [(-3.5, 4.25), (1, 2), (179, -89)]


FURTHER = ("records", "geoarrow", "mapinfo mif", "spatialite")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in FURTHER else ()) for name in SOURCES])
def test_each_format(mill: Mill, name: str) -> None:
    format_, write = SOURCES[name]
    path = write(mill)
    check(mill.ingest(path), format_)
    # What GDAL writes beside a file is the worker's, and not for the client's folder.
    assert not path.with_suffix(".gfs").exists()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SHOWN_QUICKLY else pytest.mark.slow) for name in SOURCES if name != "kmz"]
)
def test_the_content_says_what_it_is(mill: Mill, name: str, tmp_path: Path) -> None:
    format_, write = SOURCES[name]
    path = write(mill)
    assert formats.recognise(path) is format_
    if path.is_file() and format_ not in (Format.SHAPEFILE, Format.MAPINFO_TAB, Format.MAPINFO_MIF):
        silent = tmp_path / "silent"
        shutil.copy(path, silent)
        assert formats.require(silent, "silent") is format_
    if path.is_file():
        zipped = mill.zip(path)
    else:
        zipped = Path(shutil.make_archive(str(mill.sources / f"folder of {name}"), "zip", path.parent, path.name))
    check(mill.ingest(zipped), format_)


def test_folders(mill: Mill) -> None:
    folder = mill.sources / "a folder"
    folder.mkdir()
    for path in mill.place("nc.shp").parent.glob("nc.*"):
        if path.suffix in (".shp", ".shx", ".dbf", ".prj"):
            shutil.copy(path, folder)
    done = mill.ingest(folder)
    assert (done.value("count(*)"), done.report["source"]["member"]) == (100, "nc.shp")
    (folder / "nc.cpg").symlink_to("/etc/hostname")
    assert mill.refused(folder)["code"] == "SOURCE_NOT_ALLOWED"
    empty = mill.sources / "empty.gdb"
    empty.mkdir()
    assert mill.refused(empty)["code"] == "SOURCE_EMPTY"


def test_a_geodatabase_of_several_layers(mill: Mill) -> None:
    path = mill.sources / "several.gdb"
    pyogrio.write_dataframe(PLACES, path, driver="OpenFileGDB", layer="one")
    pyogrio.write_dataframe(PLACES.iloc[:1], path, driver="OpenFileGDB", layer="other", append=True)
    assert mill.ingest(path, layer="other").value("count(*)") == 1


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("name;Latitude;Longitude\nx;2,5;1,5\n", {}),
        ("name\tLAT\tLNG\nx\t2.5\t1.5\n", {}),
        ("name|x|y\nx|1.5|2.5\n", {"source_crs": "EPSG:4326"}),
        ('a,b,name\n2.5,1.5,"x"\n', {"latitude_column": "a", "longitude_column": "b"}),
        ("\ufeffname,wkt\r\nx,POINT (1.5 2.5)\r\n", {"source_crs": "EPSG:4326"}),
        ("name,shape\nx,SRID=4326;POINT(1.5 2.5)\n", {}),
        ('name,lat,lon,wkt\nx,9,9,"POINT (1.5 2.5)"\n', {"wkt_column": "wkt", "source_crs": "EPSG:4326"}),
    ],
)
def test_dialects_of_csv(mill: Mill, text: str, config: dict[str, Any]) -> None:
    done = mill.ingest(mill.write("dialect.csv", text), **config)
    assert done.rows("name, ST_X(geom) AS x, ST_Y(geom) AS y") == [{"name": "x", "x": 1.5, "y": 2.5}]


@pytest.mark.parametrize(("encoding", "said"), [("utf-8", None), ("latin-1", "ISO-8859-1"), ("cp1252", "CP1252"), ("utf-16", None)])
def test_encodings_of_csv(mill: Mill, encoding: str, said: str | None) -> None:
    name = "Ñandú €" if encoding == "cp1252" else "Ñandú"
    done = mill.ingest(mill.write("encoded.csv", f"name,lat,lon\n{name},1,2\n".encode(encoding)))
    assert done.value("name") == name
    assert done.report["source"].get("encoding") == said
    assert ("ENCODING_ASSUMED" in done.warnings) == (said is not None)


def test_rows_of_csv_that_are_none(mill: Mill) -> None:
    done = mill.ingest(mill.write("bad.csv", "n,lat,lon\n1,1,1\n2,north,1\n3,1\n4,,\n5,95,1\n6,nan,1\n\n7,1,1,9\n"))
    assert done.rows("n, geom IS NULL AS without") == [{"n": 1, "without": False}, {"n": 4, "without": True}]
    assert [(row["source_row"], row["code"]) for row in mill.rejects(done.request_id)] == [
        (1, "GEOMETRY_UNREADABLE"), (2, "ROW_MALFORMED"), (4, "GEOMETRY_OUT_OF_RANGE"), (5, "GEOMETRY_UNREADABLE"), (6, "ROW_MALFORMED"),
    ]  # fmt: skip
    wkt = mill.write("bad wkt.csv", "n;wkt\n1;POINT (1 2)\n2;POLYGON ((0 0, 1 1\n3;hello\n")
    done = mill.ingest(wkt, source_crs="EPSG:4326", geometry_type="POINT")
    assert {row["source_row"]: row["code"] for row in mill.rejects(done.request_id)} == dict.fromkeys((1, 2), "GEOMETRY_UNREADABLE")
    assert mill.refused(wkt)["code"] == "CRS_MISSING"


def test_csv_without_coordinates(mill: Mill) -> None:
    path = mill.write("plain.csv", "a,b\n1,2\n")
    error = mill.refused(path)
    assert (error["code"], error["field"]) == ("GEOMETRY_COLUMNS_MISSING", "latitude_column")
    assert mill.refused(path, wkt_column="c")["code"] == "GEOMETRY_COLUMNS_MISSING"
    assert mill.refused(mill.write("srids.csv", "a,wkt\n1,SRID=4326;POINT(1 2)\n2,SRID=4258;POINT(1 2)\n"))["code"] == "CRS_MIXED"


def test_parquet_without_geometry_and_with_nested_columns(mill: Mill) -> None:
    plain = mill.sources / "plain.parquet"
    pq.write_table(pa.table({"a": [1]}), plain)
    assert mill.refused(plain)["code"] == "LAYER_NOT_SPATIAL"
    plain.write_bytes(b"PAR1" + b"\0" * 100)
    assert mill.refused(plain)["code"] == "SOURCE_UNREADABLE"
    vast = pd.array([2**64 - 1, 1, None], dtype="UInt64")
    frame = PLACES.assign(doc=[{"a": [1, None]}, None, {"a": []}], words=[["x"], None, []], vast=vast)
    path = mill.sources / "nested.parquet"
    frame.set_geometry([*PLACES.geometry[:2], None]).set_crs(4326).to_parquet(path, row_group_size=1)
    done = mill.ingest(path, chunk_rows=100)
    assert [(row["doc"], row["words"], row["vast"]) for row in done.rows("doc, words, vast")] == [
        ({"a": [1, None]}, ["x"], 2**64 - 1), (None, None, 1), ({"a": []}, [], None),
    ]  # fmt: skip


def test_only_known_drivers_are_left() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import geopandas, pyogrio, workers.vector.reading; print(sorted(pyogrio.list_drivers()))"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert told.strip() == str(sorted(gdal.DRIVERS))


@pytest.mark.parametrize("suffix", ["geojson", "geojsonl", "csv", "parquet"])
def test_parts_of_a_file_are_read_each_by_itself(mill: Mill, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(geojson, "_BLOCK", 5_000)
    monkeypatch.setattr(delimited, "_ROWS", 60)
    # Seams of features inside of texts, line ends inside of fields, characters of several bytes.
    tricky = ['},{"type": "Feature"', "ä\nö", '"', "€" * 50, "}", "]", "\\"]
    names = [tricky[n % len(tricky)] for n in range(1000)]
    places = shapely.points(np.linspace(-170, 170, 1000), np.linspace(-80, 80, 1000))
    frame = gpd.GeoDataFrame({"n": range(1000), "name": names}, geometry=places, crs=4326)
    path = mill.sources / f"parts.{suffix}"
    match suffix:
        case "geojson":
            path.write_text(json.dumps(json.loads(frame.to_json()), ensure_ascii=False))
        case "geojsonl":
            path.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in frame.iterfeatures()))
        case "csv":
            frame.assign(lon=frame.geometry.x, lat=frame.geometry.y).drop(columns="geometry").to_csv(path, index=False)
        case _:
            frame.to_parquet(path, row_group_size=70)
    done = mill.ingest(path, chunk_rows=100)
    rows = done.rows("n, name, etl_batch_id, ST_X(geom) AS x", "ORDER BY n")
    assert [(row["n"], row["name"]) for row in rows] == list(enumerate(names))
    assert [row["x"] for row in rows] == pytest.approx(shapely.get_x(places))
    assert len({row["etl_batch_id"] for row in rows}) >= 5
