"""A source is data from a stranger: what it refers to is not read, what it names is only a name."""

from __future__ import annotations

import socket
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.py.vector.conftest import Mill
from tests.py.vector.test_formats import PLACES, written
from tests.py.vector.test_torture import collection, feature

POINT = {"type": "Point", "coordinates": [1, 2]}
KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
PLACEMARK = "<Placemark><name>{}</name><Point><coordinates>1,2</coordinates></Point></Placemark>"
GML = """<?xml version="1.0"?>
<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:e="http://e.com/e"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://e.com/e {url}?SERVICE=WFS&amp;REQUEST=DescribeFeatureType&amp;TYPENAME=e:p">
  <gml:featureMember><e:p gml:id="p1"><e:name>a</e:name><e:link xlink:href="{url}/a"/>
    <e:geom><gml:Point srsName="EPSG:4326"><gml:pos>1 2</gml:pos></gml:Point></e:geom></e:p></gml:featureMember>
  <gml:featureMember><e:p gml:id="p2"><e:name>b</e:name><e:geom xlink:href="{url}/b#x"/></e:p></gml:featureMember>
</gml:FeatureCollection>"""


@pytest.fixture
def wire() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a server on this machine, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(1000))
                    connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_nothing_is_fetched(mill: Mill, wire: tuple[str, list[bytes]]) -> None:
    url, asked = wire
    links = f"""<Style id="s"><IconStyle><Icon><href>{url}/icon.png</href></Icon></IconStyle></Style>
        <NetworkLink><Link><href>{url}/more.kml</href></Link></NetworkLink>
        {PLACEMARK.format("a").replace("<Point>", f"<styleUrl>{url}/styles.kml#s</styleUrl><Point>")}"""
    assert mill.ingest(mill.write("links.kml", KML.format(links))).rows("name") == [{"name": "a"}]
    assert mill.ingest(mill.write("links.gml", GML.format(url=url))).value("count(*)") == 2
    vrt = f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{url}/x.geojson</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    for name in ("a.kml", "a.gml", "a.dat"):
        assert mill.refused(mill.write(name, vrt))["code"] in ("FORMAT_NOT_SUPPORTED", "SOURCE_WRONG_FORMAT")
    service = f'<?xml version="1.0"?><OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>'
    assert mill.refused(mill.write("service.xml", service))["code"] == "FORMAT_NOT_SUPPORTED"
    assert asked == []


def test_the_wire_hears(wire: tuple[str, list[bytes]]) -> None:
    url, asked = wire
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        client.recv(100)
    assert asked == [b"GET / HTTP/1.0\r\n\r\n"]


def test_a_vrt_beside_or_inside_something_else(mill: Mill) -> None:
    secret = mill.sources.parent / "secret.geojson"
    secret.write_text('{"type": "FeatureCollection", "features": []}')
    vrt = f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{secret}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    for name, text in (
        ("root.kml", KML.format(PLACEMARK.format("a")) + vrt),
        ("root.gml", GML.format(url="urn:x") + vrt),
        ("comment.kml", f"<!-- {vrt} -->" + KML.format(PLACEMARK.format("a"))),
    ):
        assert mill.refused(mill.write(name, text))["code"] == "SOURCE_WRONG_FORMAT"
    taken = mill.ingest(mill.write("text.geojson", collection(feature(POINT, text=vrt))))
    assert taken.rows("text") == [{"text": vrt}]
    path = mill.sources / "vrt.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("layer.vrt", vrt)
    assert mill.refused(path)["code"] == "SOURCE_WRONG_FORMAT"


@pytest.mark.parametrize("name", ["bomb.kml", "bomb.gml", "bomb.gpx", "bomb.xml"])
def test_document_types_are_refused(mill: Mill, name: str) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY e0 "ha">{entities}]>' + KML.format(PLACEMARK.format("&e9;"))
    assert mill.refused(mill.write(name, bomb))["code"] == "XML_REFUSED"
    file = '<?xml version="1.0"?><!-- x --><!doctype kml SYSTEM "file:///etc/passwd">' + KML.format("")
    assert mill.refused(mill.write(name, file))["code"] == "XML_REFUSED"


def test_tables_of_sqlite_that_are_elsewhere(mill: Mill) -> None:
    secret = mill.sources.parent / "secret.gpkg"
    PLACES.to_file(secret, driver="GPKG")
    for driver, suffix in (("GPKG", "gpkg"), ("SQLite", "sqlite")):
        for module in ("VirtualOGR", "virtualshape", '"VirtualOGR"'):
            path = mill.sources / f"virtual.{suffix}"
            path.unlink(missing_ok=True)
            (mill.sources / f"places.{suffix}").unlink(missing_ok=True)
            written(driver, suffix)(mill).rename(path)
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA writable_schema = on")
                connection.execute(
                    "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', 'leak', 'leak', 0, ?)",
                    (f"CREATE VIRTUAL TABLE leak USING {module}('{secret}')",),
                )
            assert mill.refused(path, layer="places")["code"] == "SOURCE_REFUSED"


def test_tables_of_mapinfo_that_are_elsewhere(mill: Mill) -> None:
    tab = (
        '!table\n!version 300\n!charset Neutral\n\nDefinition Table\n  Type NATIVE Charset "Neutral"\n  Fields 1\n    Table Char (100) ;\n'
    )
    for trick in (
        tab + 'begin_metadata\n"\\IsSeamless" = "TRUE"\nend_metadata\n',
        '!table\n!version 100\nOpen Table "/etc/a" Hide\nCreate View x As\nSelect a From b\n',
        tab + " " * 70_000 + '"\\IsSeamless" = "TRUE"',
    ):
        assert mill.refused(mill.write("trick.tab", trick))["code"] == "SOURCE_WRONG_FORMAT"


SQL = 'x"); DROP TABLE app.jobs; --'


def test_names_are_only_names(mill: Mill) -> None:
    names = [SQL, "'; DROP TABLE app.jobs; --", "%s", "{}", "%(srid)s", "{batch}", "a\nb", "\\"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    for path in (
        mill.write("names.geojson", collection(feature(POINT, **dict.fromkeys(names, "v")))),
        mill.write("names.csv", f"{header},lat,lon\n" + "v," * len(names) + "2,1\n"),
    ):
        done = mill.ingest(path)
        assert [column["original"] for column in done.report["columns"]][: len(names)] == names
        [row] = done.rows()
        assert {row[column["name"]] for column in done.report["columns"][: len(names)]} == {"v"}
    layer = mill.sources / "layer name.gpkg"
    PLACES.rename(columns={"name": SQL}).to_file(layer, layer=SQL, driver="GPKG")
    done = mill.ingest(layer, layer=SQL, chunk_rows=100)
    assert (done.value("count(*)"), done.report["source"]["layer"]) == (3, SQL)
    assert mill.refused(layer, layer="'; DROP TABLE app.jobs; --")["code"] == "LAYER_NOT_FOUND"
    assert mill.rows("SELECT to_regclass('app.jobs') IS NOT NULL AS there") == [{"there": True}]


@pytest.mark.parametrize(
    "path",
    [
        "/vsicurl/http://127.0.0.1/a.gpkg", "{}/vsizip/a.zip", "PG:dbname=postgres", "<OGRVRTDataSource/>", "{}/../secret.gpkg",
        "http://127.0.0.1/a.gpkg", "WFS:http://127.0.0.1", "GPKG:{}/a.gpkg", "{}/a.gpkg\n", "/etc/passwd", "ftp://127.0.0.1/a.gpkg",
    ],
)  # fmt: skip
def test_connection_strings_are_refused_when_they_are_submitted(mill: Mill, path: str) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        mill.submit(Path(path.format(mill.sources)) if "//" not in path and "<" not in path else path)  # type: ignore[arg-type]
    assert (refusal.value.sqlstate or "").startswith("GM4")


def test_a_kmz_is_a_zip_like_any_other(mill: Mill) -> None:
    path = mill.sources / "climbs.kmz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../doc.kml", KML.format(PLACEMARK.format("a")))
    assert mill.refused(path)["code"] == "ARCHIVE_UNSAFE"
    (mill.sources / "none.kmz").write_bytes(b"not a zip")
    assert mill.refused(mill.sources / "none.kmz")["code"] == "ARCHIVE_CORRUPT"
