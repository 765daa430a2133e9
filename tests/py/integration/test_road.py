"""The whole road as DDH: what is asked for comes about, what is refused leaves nothing behind."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from rio_cogeo.cogeo import cog_validate

from tests.conftest import StartWorkers
from tests.py.integration.ddh import Ddh
from tests.py.support.samples import place, sample
from tests.py.support.server import Database


@pytest.fixture
def ddh(database: Database) -> Ddh:
    return Ddh(database)


def left_behind(database: Database, storage: Path) -> dict[str, Any]:
    """Everything that a request could leave: tables of geo, items and collections of pgstac, files."""
    with database.connect() as admin:
        tables = admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND relkind = 'r' ORDER BY 1"
        ).fetchall()
        items = admin.execute("SELECT id FROM pgstac.items ORDER BY 1").fetchall()
        collections = admin.execute("SELECT id FROM pgstac.collections ORDER BY 1").fetchall()
    return {
        "tables": tables,
        "items": items,
        "collections": collections,
        "files": sorted(str(file) for file in storage.rglob("*") if file.is_file()),
    }


def local(href: str) -> Path:
    return Path(href.removeprefix("file://"))


def test_vector(ddh: Ddh, database: Database, source_root: Path, workers: StartWorkers) -> None:
    shapefile = place("naturalearth_lowres.shp", source_root)
    with zipfile.ZipFile(source_root / "countries.zip", "w") as archive:
        for part in source_root.glob("naturalearth_lowres.*"):
            archive.write(part, part.name)
    plain, _ = ddh.submit("plain", shapefile)
    zipped, _ = ddh.submit("zipped", source_root / "countries.zip", "vector", arcgis_mode=True)
    geopackage, _ = ddh.submit("counties", place("nc.gpkg", source_root), indexes=["fips"])
    assert workers("--until-idle").wait() == 0

    for request in (plain, zipped, geopackage):
        assert ddh.status(request)["status"] == "completed", ddh.status(request)["error"]
        assert ddh.status(request)["progress_percent"] == 100
    assert ddh.query(b"SELECT count(*), count(DISTINCT name), min(public.ST_SRID(geom)) FROM geo.road_plain_v1") == [(177, 177, 4326)]
    assert ddh.query(b"SELECT count(shape), min(source_format) FROM geo.road_zipped_v1") == [
        (177, ddh.query(b"SELECT min(source_format) FROM geo.road_plain_v1")[0][0])
    ]
    assert ddh.query(b"SELECT count(*), bool_and(public.ST_IsValid(geom)), min(source_crs) FROM geo.road_counties_v1") == [
        (100, True, "EPSG:4267")
    ]
    items = ddh.search(collections=["ddh_vectors"])
    assert {item["id"] for item in items} == {"road_plain_v1", "road_zipped_v1", "road_counties_v1"}
    assert ddh.status(plain)["endpoints"]["table"] == "geo.road_plain_v1"
    assert ddh.status(plain)["stac_metadata"]["id"] == "road_plain_v1"

    # The same again is the same request, and nothing runs.
    assert ddh.submit("plain", shapefile) == (plain, False)
    with database.connect() as admin:
        assert admin.execute("SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')").fetchone() == (0,)


def test_raster_and_collection(ddh: Ddh, source_root: Path, storage: Path, workers: StartWorkers) -> None:
    scene = place("L7_ETMs.tif", source_root)
    members = source_root / "members"
    members.mkdir()
    for name in ("first.tif", "second.tif"):
        (members / name).write_bytes(scene.read_bytes())
    raster, _ = ddh.submit("scene", scene)
    collection, _ = ddh.submit("members", f"{members}/", "collection")
    assert workers("--until-idle").wait() == 0

    document = ddh.status(raster)
    assert document["status"] == "completed", document["error"]
    cog = local(document["endpoints"]["cog"])
    assert cog.is_relative_to(storage)
    assert cog_validate(str(cog), strict=True)[0]
    (item,) = ddh.search(collections=["ddh_rasters"])
    assert item["properties"]["proj:code"] == "EPSG:31985"
    assert item["bbox"] == pytest.approx([-34.917, -8.041, -34.826, -7.95], abs=1e-3)

    document = ddh.status(collection)
    assert document["status"] == "completed", document["error"]
    assert len(ddh.search(collections=["ddh_road_members_v1"])) == 2
    assert all(cog_validate(str(local(href)), strict=True)[0] for href in document["endpoints"]["cog"])
    assert json.loads(local(document["endpoints"]["mosaic"]).read_text())["mosaicjson"]
    assert document["stac_metadata"]["id"] == "ddh_road_members_v1"
    assert not [file for file in storage.rglob("*") if file.is_file() and file.name.startswith(".")], "no attempt's file stays behind"


def test_overwrite_shows_the_old_until_the_new_is_complete(ddh: Ddh, source_root: Path, storage: Path, workers: StartWorkers) -> None:
    source = place("naturalearth_lowres.shp", source_root)
    request, _ = ddh.submit("again", source)
    assert workers("--until-idle").wait() == 0
    other = place("nc.gpkg", source_root)
    assert ddh.refused("again", other)[0] == "GM409"
    assert ddh.submit("again", other, overwrite=True) == (request, True)
    assert ddh.status(request)["revision"] == 2
    assert ddh.query(b"SELECT count(*) FROM geo.road_again_v1") == [(177,)], "the old, while the new is on its way"
    assert workers("--until-idle").wait() == 0
    assert ddh.status(request)["status"] == "completed", ddh.status(request)["error"]
    assert ddh.query(b"SELECT count(*) FROM geo.road_again_v1") == [(100,)], "then the new"
    assert len(ddh.search(ids=["road_again_v1"])) == 1
    assert not list(storage.rglob("*.tif"))


def test_refused_by_the_call(ddh: Ddh, database: Database, source_root: Path, storage: Path) -> None:
    before = left_behind(database, storage)
    good = place("nc.gpkg", source_root)
    cases = [
        (ddh.refused("x", good, "banana"), "GM422", "request_type"),
        (ddh.refused("x", "/etc/passwd", "vector"), "GM403", "source_path"),
        (ddh.refused("x", f"{source_root}/../nc.gpkg", "vector"), "GM422", "source_path"),
        (ddh.refused("x", good, overwriet=True), "GM422", "processing_config.overwriet"),
        (ddh.refused("x", good, chunk_rows="many"), "GM422", "processing_config.chunk_rows"),
        (ddh.refused("x", good, overwrite="yes"), "GM422", "processing_config.overwrite"),
    ]
    for (state, problems), wanted_state, wanted_field in cases:
        assert state == wanted_state
        assert [problem["field"] for problem in problems] == [wanted_field]
        assert all(problem["remediation"] and problem["category"] == "user" and problem["retryable"] is False for problem in problems)
    _, problems = ddh.refused("x", f"{source_root}/../nc.gpkg", "vector", overwriet=True, chunk_rows="many")
    assert len(problems) == 3, "all that is wrong, at once"
    with database.connect() as admin:
        assert admin.execute("SELECT (SELECT count(*) FROM platform.requests) + (SELECT count(*) FROM app.jobs)").fetchone() == (0,)
    assert left_behind(database, storage) == before


def test_refused_by_the_worker(ddh: Ddh, database: Database, source_root: Path, storage: Path, workers: StartWorkers) -> None:
    before = left_behind(database, storage)
    (source_root / "words.gpkg").write_text("not a GeoPackage\n")
    (source_root / "words.tif").write_text("not a raster\n")
    (source_root / "broken.tif").write_bytes(sample("L7_ETMs.tif").read_bytes()[:100_000])
    (source_root / "outside.gpkg").symlink_to(sample("nc.gpkg"))
    (source_root / "empty").mkdir()
    cases = {
        ddh.submit("missing", source_root / "missing.gpkg")[0]: "SOURCE_NOT_FOUND",
        ddh.submit("words", source_root / "words.gpkg")[0]: "SOURCE_WRONG_FORMAT",
        ddh.submit("words_tif", source_root / "words.tif")[0]: "SOURCE_NOT_A_RASTER",
        ddh.submit("broken", source_root / "broken.tif")[0]: "SOURCE_CORRUPT",
        ddh.submit("outside", source_root / "outside.gpkg")[0]: "SOURCE_NOT_ALLOWED",
        ddh.submit("empty", f"{source_root}/empty/", "collection")[0]: "COLLECTION_EMPTY",
    }
    assert workers("--until-idle").wait() == 0
    found = {}
    for request in cases:
        document = ddh.status(request)
        assert document["status"] == "failed", document
        assert document["error"]["retryable"] is False
        assert document["error"]["remediation"]
        found[request] = document["error"]["code"]
    assert found == cases
    with database.connect() as admin:
        assert admin.execute("SELECT max(attempt - forgiven) FROM app.tasks").fetchone() == (1,), "a user's mistake is never retried"
    assert left_behind(database, storage) == before
