"""What was published is taken back as DDH: nothing goes by a dry run, then everything, and what comes after is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codegen.workflows import REQUEST_JOBS
from tests.conftest import StartWorkers
from tests.py.integration.ddh import Ddh
from tests.py.support.samples import place
from tests.py.support.server import Database

PROCESSING = [stage.task_type for jobs in REQUEST_JOBS.values() for job in jobs for stage in job.stages]
NOTHING: dict[str, Any] = {
    "table": None,
    "files": {"storage_prefix": None, "hrefs": []},
    "stac_items": [],
    "stac_collection": None,
    "statistics": [],
    "warnings": [],
}


@pytest.fixture
def ddh(database: Database) -> Ddh:
    return Ddh(database)


@pytest.fixture
def members(source_root: Path) -> Path:
    folder = source_root / "members"
    folder.mkdir()
    for name in ("first.tif", "second.tif"):
        (folder / name).write_bytes(place("L7_ETMs.tif", source_root).read_bytes())
    return folder


def unpublish(ddh: Ddh, request: str, *, dry_run: bool = False) -> dict[str, Any]:
    with ddh.database.connect("ddh") as connection:
        row = connection.execute("SELECT platform.unpublish_request(%s, %s)", (request, dry_run)).fetchone()
        assert row is not None
        document: dict[str, Any] = row[0]
        return document


def published(database: Database, storage: Path) -> dict[str, Any]:
    """What readers could see, and every file."""
    with database.connect() as admin:
        tables = admin.execute("SELECT relname FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND relkind = 'r'").fetchall()
        items = admin.execute("SELECT collection, id FROM pgstac.items").fetchall()
        collections = admin.execute("SELECT id FROM pgstac.collections").fetchall()
    files = [str(file.relative_to(storage)) for file in storage.rglob("*") if file.is_file()]
    return {name: sorted(found) for name, found in {"tables": tables, "items": items, "collections": collections, "files": files}.items()}


def parts(document: dict[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in NOTHING}


def test_everything_goes_and_may_come_again(
    ddh: Ddh, database: Database, source_root: Path, members: Path, storage: Path, workers: StartWorkers
) -> None:
    sources = {"table": place("nc.gpkg", source_root), "scene": source_root / "L7_ETMs.tif", "members": f"{members}/"}
    types = {"table": "vector", "scene": "raster", "members": "collection"}
    # What shares schema and collections with them, and has to stay.
    ddh.submit("other_table", sources["table"], keep_z=True)
    ddh.submit("other_scene", place("lc.tif", source_root))
    assert workers("--until-idle").wait() == 0
    others = published(database, storage)
    requests = {name: ddh.submit(name, source, types[name])[0] for name, source in sources.items()}
    assert workers("--until-idle").wait() == 0
    everything = published(database, storage)

    said = {name: unpublish(ddh, request, dry_run=True) for name, request in requests.items()}
    assert published(database, storage) == everything, "a dry run removes nothing"
    assert parts(said["table"]) == NOTHING | {"table": "geo.road_table_v1", "stac_items": ["/collections/ddh_vectors/items/road_table_v1"]}
    prefix = f"ddh_v1/{requests['scene']}/r1/"
    hrefs = [ddh.status(requests["scene"])["endpoints"]["cog"]]
    assert parts(said["scene"]) == NOTHING | {
        "files": {"storage_prefix": prefix, "hrefs": hrefs},
        "stac_items": ["/collections/ddh_rasters/items/road_scene_v1"],
    }
    endpoints = ddh.status(requests["members"])["endpoints"]
    assert said["members"]["files"]["hrefs"] == [*endpoints["cog"], endpoints["mosaic"]]
    assert said["members"]["stac_collection"] == endpoints["stac_collection"]
    assert len(said["members"]["stac_items"]) == 2

    for name, request in requests.items():
        started = unpublish(ddh, request)
        assert parts(started) == parts(said[name]), "the same document"
        assert started["job"]["job_type"] == f"unpublish_{types[name]}"
        assert ddh.status(request)["status"] == "completed", "not before everything is gone"
    assert workers("--until-idle").wait() == 0
    assert published(database, storage) == others, "everything of theirs is gone, and nothing else"
    for request in requests.values():
        status = ddh.status(request)
        assert (status["status"], status["endpoints"], status["stac_metadata"]) == ("unpublished", None, None)
        again = unpublish(ddh, request)
        assert parts(again) == NOTHING
        assert again["job"]["status"] == "completed"
    assert workers("--until-idle").wait() == 0
    assert published(database, storage) == others

    for name, source in sources.items():
        assert ddh.submit(name, source, types[name]) == (requests[name], True)
    assert workers("--until-idle").wait() == 0
    for request in requests.values():
        status = ddh.status(request)
        assert (status["status"], status["revision"]) == ("completed", 2), status["error"]
    came = published(database, storage)
    assert {name: len(found) for name, found in came.items()} == {name: len(found) for name, found in everything.items()}
    assert came["items"] == everything["items"]


def test_a_newer_revision_comes_through_a_removal(
    ddh: Ddh, database: Database, source_root: Path, members: Path, storage: Path, workers: StartWorkers
) -> None:
    sources = {"vector": place("nc.gpkg", source_root), "raster": source_root / "L7_ETMs.tif", "collection": f"{members}/"}
    requests = {type_: ddh.submit(type_, source, type_)[0] for type_, source in sources.items()}
    assert workers("--until-idle").wait() == 0
    before = published(database, storage)
    for type_, request in requests.items():
        unpublish(ddh, request)
        assert ddh.submit(type_, sources[type_], type_) == (request, True)
    # The removal waits until the new revision is complete: then only what is old may go.
    assert workers("--until-idle", "--task-types", ",".join(PROCESSING)).wait() == 0
    assert {ddh.status(request)["status"] for request in requests.values()} == {"completed"}
    came = published(database, storage)
    assert workers("--until-idle").wait() == 0
    came["files"] = [file for file in came["files"] if "/r1/" not in file]
    assert published(database, storage) == came
    assert {name: len(found) for name, found in came.items()} == {name: len(found) for name, found in before.items()}
    for request in requests.values():
        status = ddh.status(request)
        assert (status["status"], status["revision"]) == ("completed", 2)
        assert status["endpoints"]


def test_a_revision_that_ends_badly_leaves_nothing_where_the_old_one_was_taken_back(
    ddh: Ddh, database: Database, source_root: Path, storage: Path, workers: StartWorkers
) -> None:
    request, _ = ddh.submit("cancelled", place("nc.gpkg", source_root))
    assert workers("--until-idle").wait() == 0
    unpublish(ddh, request)
    ddh.submit("cancelled", place("nc.gpkg", source_root))
    # The new revision is loaded, and then comes to a bad end.
    assert workers("--until-idle", "--task-types", "vector_plan,vector_chunk,vector_finish_v2").wait() == 0
    assert len(published(database, storage)["tables"]) == 2, "the old, and what is loaded beside it"
    with database.connect("ddh") as connection:
        connection.execute("SELECT platform.cancel_request(%s, 'not wanted')", (request,))
    assert workers("--until-idle").wait() == 0
    assert ddh.status(request)["status"] == "cancelled"
    assert ddh.status(request)["endpoints"] is None
    left = published(database, storage)
    assert (left["tables"], left["items"], left["files"]) == ([], [], [])


def test_what_a_view_depends_on_stays_whole(ddh: Ddh, database: Database, source_root: Path, storage: Path, workers: StartWorkers) -> None:
    request, _ = ddh.submit("viewed", place("nc.gpkg", source_root))
    assert workers("--until-idle").wait() == 0
    before = published(database, storage)
    with database.connect() as admin:
        admin.execute("CREATE VIEW public.counties AS SELECT * FROM geo.road_viewed_v1")
    unpublish(ddh, request)
    assert workers("--until-idle").wait() == 0
    status = ddh.status(request)
    assert (status["status"], status["error"]["code"]) == ("completed", "TABLE_HAS_DEPENDENTS")
    assert "could not be unpublished" in status["message"]
    assert published(database, storage) == before, "the table stays, and its item with it"
    with database.connect() as admin:
        admin.execute("DROP VIEW public.counties")
    unpublish(ddh, request)
    assert workers("--until-idle").wait() == 0
    assert ddh.status(request)["status"] == "unpublished"
    assert published(database, storage)["tables"] == []
