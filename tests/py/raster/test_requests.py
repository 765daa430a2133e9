"""Rasters and collections from a client's SQL to files, items and status, by real workers; and what is refused leaves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import psycopg
import pytest
import rasterio
from cogeo_mosaic.mosaic import MosaicJSON
from rio_cogeo.cogeo import cog_validate
from rio_tiler.io import Reader

from tests.conftest import CLIENT
from tests.py.raster.client import Client, Json, make_collection, path_of, write
from tests.py.raster.conftest import noise, ramp
from tests.py.support.processes import Workers
from tests.py.support.samples import place, sample
from tests.py.support.stac_extensions import problems
from tests.py.support.waiting import wait_for

# Everything that one run of the workers can do is submitted first; the tests look at what became of it.


@pytest.fixture(scope="module")
def requests(client: Client) -> dict[str, str]:
    """Requests of every sort by their names, all of them worked off."""
    sources = client.sources
    landsat = place("L7_ETMs.tif", sources)
    text = sources / "text.tif"
    text.write_text("no raster at all")
    truncated = sources / "truncated.tif"
    truncated.write_bytes(write(sources / "whole.tif", noise((300, 300), "float32")).read_bytes()[:200_000])
    tiles = make_collection(sources / "tiles")
    shutil.copy(sample("README.md"), tiles / "README.md")
    mixed = make_collection(sources / "mixed", 3)
    (mixed / "broken.tif").write_text("no raster at all")
    (mixed / "truncated.tif").write_bytes((mixed / "tile_0.tif").read_bytes()[:20_000])
    odd = make_collection(sources / "odd", 3)
    write(odd / "odd.tif", ramp())
    hopeless = sources / "hopeless"
    hopeless.mkdir()
    for name in ("a.tif", "b.tif"):
        (hopeless / name).write_bytes((mixed / "tile_0.tif").read_bytes()[:20_000])
    submitted = {
        "landsat": client.submit(landsat, title="Olinda", keywords=["landsat"], datetime="1999-08-01T13:00:00Z", license="CC0-1.0"),
        "palette": client.submit(place("lc.tif", sources)),
        "elevation": client.submit(place("olinda_dem_utm25s.tif", sources), target_crs="EPSG:4326", stac_collection="heights"),
        "text": client.submit(text),
        "truncated": client.submit(truncated),
        "no crs": client.submit(write(sources / "nocrs.tif", ramp(), crs=None)),
        "empty": client.submit(write(sources / "empty.tif", np.zeros((30, 30), "uint8"), nodata=0)),
        "jpeg of floats": client.submit(write(sources / "floats.tif", ramp()), compression="jpeg"),
        "strict": client.submit(write(sources / "strict.tif", np.where(ramp() < 5, -9999, ramp()).astype("float32")), strict=True),
        "tiles": client.submit(f"{tiles}/", "collection", title="Tiles", description="Four tiles"),
        "listed": client.submit([tiles / "tile_2.tif", tiles / "tile_0.tif"], "collection"),
        "continue": client.submit(f"{mixed}/", "collection"),
        "fail": client.submit([mixed / "tile_1.tif", mixed / "truncated.tif"], "collection", on_item_error="fail"),
        "odd": client.submit(f"{odd}/", "collection"),
        "odd but warn": client.submit(f"{odd}/", "collection", homogeneity="warn"),
        "hopeless": client.submit(f"{hopeless}/", "collection"),
        "nothing": client.submit([sources / "missing.tif"], "collection"),
    }
    client.work()
    return submitted


def test_a_raster_becomes_a_cog_with_its_pixels(client: Client, requests: dict[str, str]) -> None:
    status = client.completed(requests["landsat"])
    cog = path_of(status["endpoints"]["cog"])
    assert cog.is_relative_to(client.storage)
    assert cog_validate(cog, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(cog) as made, rasterio.open(sample("L7_ETMs.tif")) as source:
        assert np.array_equal(made.read(), source.read())
        assert made.crs == source.crs
    assert client.files(requests["landsat"]) == [str(cog.relative_to(client.storage / CLIENT / requests["landsat"]))]


def test_its_item_is_found_by_search(client: Client, requests: dict[str, str]) -> None:
    status = client.completed(requests["landsat"])
    found = client.search(bbox=[-34.9, -8.0, -34.85, -7.97], collections=["ddh_rasters"])
    assert [item["id"] for item in found if item["properties"]["geomill:request_id"] == requests["landsat"]] == [
        status["stac_metadata"]["id"]
    ]
    item = next(item for item in found if item["id"] == status["stac_metadata"]["id"])
    assert problems(status["stac_metadata"], "item") == []
    assert item["properties"]["title"] == "Olinda"
    assert (item["properties"]["datetime"], item["properties"]["geomill:datetime_source"]) == ("1999-08-01T13:00:00Z", "request")
    assert item["assets"]["data"]["file:size"] == path_of(status["endpoints"]["cog"]).stat().st_size
    assert [band["statistics"]["valid_percent"] for band in item["assets"]["data"]["bands"]] == [100] * 6
    assert status["endpoints"]["stac_item"] == f"/collections/ddh_rasters/items/{item['id']}"


def test_tiles_of_it_are_the_sources_pixels(client: Client, requests: dict[str, str]) -> None:
    cog = path_of(client.completed(requests["landsat"])["endpoints"]["cog"])
    with Reader(str(cog)) as made, Reader(str(sample("L7_ETMs.tif"))) as source:
        point = (-34.87, -8.0)
        assert np.array_equal(made.point(*point).data, source.point(*point).data)
        tile = made.tms.tile(*point, made.maxzoom)
        ours, theirs = made.tile(*tile), source.tile(*tile)
        assert np.array_equal(ours.mask, theirs.mask)
        assert np.abs(ours.data.astype(int) - theirs.data.astype(int)).mean() < 1
        for zoom in range(made.minzoom, made.maxzoom):
            tile = made.tms.tile(*point, zoom)
            # From the overviews, which are averages: as the source itself, seen from so far.
            ours, theirs = made.tile(*tile), source.tile(*tile, resampling_method="average")
            assert ours.array.count() > 0
            assert np.abs(ours.array.astype(float).mean() - theirs.array.astype(float).mean()) < 3, zoom


def test_the_palette_comes_through(client: Client, requests: dict[str, str]) -> None:
    with (
        rasterio.open(path_of(client.completed(requests["palette"])["endpoints"]["cog"])) as made,
        rasterio.open(sample("lc.tif")) as source,
    ):
        assert made.colormap(1) == source.colormap(1)
        assert np.array_equal(made.read(), source.read())


def test_a_named_collection_and_crs(client: Client, requests: dict[str, str]) -> None:
    status = client.completed(requests["elevation"])
    assert status["endpoints"]["stac_collection"] == "/collections/ddh_heights"
    with rasterio.open(path_of(status["endpoints"]["cog"])) as made:
        assert made.crs.to_epsg() == 4326
    assert [warning["code"] for warning in status["warnings"]] == ["CRS_WITHOUT_CODE"]


@pytest.mark.parametrize(
    ("name", "code", "category"),
    [
        ("text", "SOURCE_NOT_A_RASTER", "data"),
        ("truncated", "SOURCE_CORRUPT", "data"),
        ("no crs", "CRS_MISSING", "data"),
        ("empty", "RASTER_ALL_NODATA", "data"),
        ("jpeg of floats", "COMPRESSION_NOT_POSSIBLE", "user"),
        ("strict", "STRICT_WARNINGS", "data"),
        ("odd", "COLLECTION_NOT_HOMOGENEOUS", "data"),
        ("fail", "COLLECTION_MEMBERS_FAILED", "data"),
        ("hopeless", "SOURCE_CORRUPT", "data"),
        ("nothing", "COLLECTION_MEMBERS_FAILED", "user"),
    ],
)
def test_what_is_refused_says_why_and_leaves_nothing(name: str, code: str, category: str, client: Client, requests: dict[str, str]) -> None:
    request_id = requests[name]
    status = client.completed(request_id, "failed")
    assert (status["error"]["code"], status["error"]["category"]) == (code, category)
    assert status["error"]["message"]
    assert status["error"]["remediation"]
    assert client.files(request_id) == []
    assert not [item for item in client.search() if item["properties"]["geomill:request_id"] == request_id]
    assert not status["endpoints"]


def test_a_collection_of_rasters(client: Client, requests: dict[str, str]) -> None:
    status = client.completed(requests["tiles"])
    endpoints, collection = status["endpoints"], status["stac_metadata"]
    assert len(endpoints["cog"]) == 4
    for href in endpoints["cog"]:
        assert cog_validate(path_of(href), strict=True, quiet=True) == (True, [], [])
    assert problems(collection, "collection") == []
    assert (collection["title"], collection["description"]) == ("Tiles", "Four tiles")
    assert endpoints["stac_collection"] == f"/collections/{collection['id']}"
    items = client.search(collections=[collection["id"]])
    assert len({item["id"] for item in items}) == 4
    assert all(problems(item | {"links": [link for link in item["links"] if link["rel"] == "collection"]}, "item") == [] for item in items)
    assert [warning["code"] for warning in status["warnings"]] == ["FILES_PASSED_OVER"]


def test_its_extent_is_that_of_its_items_in_the_catalogue_too(client: Client, requests: dict[str, str]) -> None:
    collection = client.completed(requests["tiles"])["stac_metadata"]
    boxes = [item["bbox"] for item in client.search(collections=[collection["id"]])]
    around = [min(box[0] for box in boxes), min(box[1] for box in boxes), max(box[2] for box in boxes), max(box[3] for box in boxes)]
    row = client.superuser.execute("SELECT content -> 'extent' FROM pgstac.collections WHERE id = %s", (collection["id"],)).fetchone()
    assert row is not None
    assert row[0]["spatial"]["bbox"] == [pytest.approx(around, abs=1e-6)]
    assert collection["extent"]["spatial"]["bbox"] == [pytest.approx(around, abs=1e-6)]


def test_its_mosaic_shows_every_member(client: Client, requests: dict[str, str]) -> None:
    endpoints = client.completed(requests["tiles"])["endpoints"]
    document = MosaicJSON.model_validate_json(path_of(endpoints["mosaic"]).read_bytes())
    assert {href for hrefs in document.tiles.values() for href in hrefs} == set(endpoints["cog"])
    assert path_of(endpoints["mosaic"]).parent == path_of(endpoints["cog"][0]).parent


def test_listed_members_are_taken_in_name_order(client: Client, requests: dict[str, str]) -> None:
    status = client.completed(requests["listed"])
    assert [path_of(href).name for href in status["endpoints"]["cog"]] == ["tile_0.tif", "tile_2.tif"]


def test_one_bad_file_does_not_spoil_the_others(client: Client, requests: dict[str, str]) -> None:
    status = client.completed(requests["continue"], "completed_with_errors")
    assert len(status["endpoints"]["cog"]) == 3
    assert len(client.search(collections=[status["stac_metadata"]["id"]])) == 3
    assert sorted(client.rejects(requests["continue"])) == [("broken.tif", "SOURCE_NOT_A_RASTER"), ("truncated.tif", "SOURCE_CORRUPT")]
    assert sorted(Path(name).name for name in client.files(requests["continue"])) == [
        "mosaic.json",
        "tile_0.tif",
        "tile_1.tif",
        "tile_2.tif",
    ]


def test_the_policy_to_fail_names_the_file(client: Client, requests: dict[str, str]) -> None:
    error = client.completed(requests["fail"], "failed")["error"]
    assert "truncated.tif" in error["message"]
    assert "1 of 2" in error["message"]


def test_odd_members_are_named(client: Client, requests: dict[str, str]) -> None:
    assert "odd.tif: type float32 instead of uint16" in client.completed(requests["odd"], "failed")["error"]["message"]
    status = client.completed(requests["odd but warn"])
    assert len(status["endpoints"]["cog"]) == 4
    assert any(warning["code"] == "COLLECTION_NOT_HOMOGENEOUS" for warning in status["warnings"])


def test_nothing_hidden_is_left_anywhere(client: Client, requests: dict[str, str]) -> None:
    assert requests
    assert not [path for path in client.storage.rglob(".*") if path.is_file()]


def test_a_new_revision_replaces_items_and_files(client: Client) -> None:
    folder = make_collection(client.sources / "revised", 3)
    first = client.submit_as("revised", f"{folder}/", "collection")
    client.work()
    before = client.completed(first)
    (folder / "tile_0.tif").unlink()
    write(folder / "tile_9.tif", noise((200, 200), "uint16", 1, 9000, seed=9), 560_000)
    assert client.submit_as("revised", f"{folder}/", "collection", overwrite=True) == first
    client.work()
    after = client.completed(first)
    names = sorted(item["properties"]["title"] for item in client.search(collections=[after["stac_metadata"]["id"]]))
    assert names == ["tile_1", "tile_2", "tile_9"]
    assert set(after["endpoints"]["cog"]).isdisjoint(before["endpoints"]["cog"])
    assert all(path_of(href).exists() for href in after["endpoints"]["cog"])
    assert {name.split("/")[0] for name in client.files(first)} == {"r2"}, "what the first revision published has gone"


def test_readers_see_the_old_collection_until_the_new_one_is_complete(client: Client) -> None:
    folder = make_collection(client.sources / "unseen", 2)
    request = client.submit_as("unseen", f"{folder}/", "collection", title="First")
    client.work()
    before = client.completed(request)
    (folder / "tile_0.tif").unlink()
    write(folder / "tile_7.tif", noise((200, 200), "uint16", 1, 9000, seed=7), 560_000)
    client.submit_as("unseen", f"{folder}/", "collection", overwrite=True, title="Second")
    client.work("--task-types", "collection_inspect_v2,collection_convert_v3,collection_gather")
    assert shown(client, before) == ["tile_0", "tile_1"], "all is converted, and nothing of it is seen"
    # A mosaic that cannot be published: a folder has its name.
    (client.storage / CLIENT / request / "r2" / "mosaic.json" / "in the way").mkdir(parents=True)
    client.superuser.execute("UPDATE app.job_stages SET max_attempts = 1 WHERE task_type = 'collection_publish_v2'")
    client.work()
    after = client.completed(request, "failed")
    assert shown(client, before) == ["tile_0", "tile_1"], "what failed last has taken nothing away"
    assert after["endpoints"] == before["endpoints"]
    assert title_of(client, before) == "First"
    assert {name.split("/")[0] for name in client.files(request)} == {"r1"}
    assert all(path_of(href).exists() for href in before["endpoints"]["cog"])


def test_members_are_added_and_replaced(client: Client) -> None:
    folder = make_collection(client.sources / "growing", 2)
    request = client.submit_as("growing", f"{folder}/", "collection")
    client.work()
    before = client.completed(request)
    more = client.sources / "growing more"
    for index, west in ((1, 502_000), (5, 540_000)):
        write(more / f"tile_{index}.tif", noise((200, 200), "uint16", 1, 9000, seed=50 + index), west)
    client.submit_as("growing", f"{more}/", "collection", overwrite=True, mode="append")
    client.work()
    after = client.completed(request)
    assert shown(client, after) == ["tile_0", "tile_1", "tile_5"]
    assert client.files(request) == ["r1/tile_0.tif", "r2/mosaic.json", "r2/tile_1.tif", "r2/tile_5.tif"], "what no item shows has gone"
    assert sorted(path_of(href).name for href in after["endpoints"]["cog"]) == ["tile_0.tif", "tile_1.tif", "tile_5.tif"]
    document = MosaicJSON.model_validate_json(path_of(after["endpoints"]["mosaic"]).read_bytes())
    assert {href for hrefs in document.tiles.values() for href in hrefs} == set(after["endpoints"]["cog"])
    boxes = [item["bbox"] for item in client.search(collections=[before["stac_metadata"]["id"]])]
    assert after["stac_metadata"]["extent"]["spatial"]["bbox"][0][2] == pytest.approx(max(box[2] for box in boxes))

    odd = client.sources / "growing odd"
    write(odd / "odd.tif", ramp())
    client.submit_as("growing", f"{odd}/", "collection", overwrite=True, mode="append")
    client.work()
    assert client.completed(request, "failed")["error"]["code"] == "COLLECTION_NOT_HOMOGENEOUS", "it is compared with what is there"
    assert shown(client, after) == ["tile_0", "tile_1", "tile_5"]

    client.submit_as("growing", f"{more}/", "collection", overwrite=True, mode="replace")
    client.work()
    assert shown(client, client.completed(request)) == ["tile_1", "tile_5"]
    assert {name.split("/")[0] for name in client.files(request)} == {"r4"}, "every earlier revision's files have gone"


def test_members_added_while_the_others_are_taken_back(client: Client) -> None:
    folder = make_collection(client.sources / "taken back", 2)
    request = client.submit_as("taken back", f"{folder}/", "collection")
    client.work()
    client.completed(request)
    client.ddh.execute("SELECT platform.unpublish_request(%s, false)", (request,))
    write(client.sources / "taken back more" / "tile_5.tif", noise((200, 200), "uint16", 1, 9000), 540_000)
    client.submit_as("taken back", f"{client.sources}/taken back more/", "collection", overwrite=True, mode="append")
    client.work()
    after = client.completed(request)
    assert shown(client, after) == ["tile_5"], "nothing is added to what is on its way out"
    assert client.files(request) == ["r2/mosaic.json", "r2/tile_5.tif"]
    client.ddh.execute("SELECT platform.unpublish_request(%s, false)", (request,))
    client.work()
    assert client.status(request)["status"] == "unpublished"
    assert client.files(request) == []
    collection = after["stac_metadata"]["id"]
    for statement in ("SELECT 1 FROM pgstac.collections WHERE id = %s", "SELECT 1 FROM pgstac.searches WHERE metadata ->> 'name' = %s"):
        assert client.superuser.execute(statement.encode(), (collection,)).fetchall() == [], "its search goes with it"


def test_a_search_over_the_collection_is_registered(client: Client, requests: dict[str, str]) -> None:
    status = client.completed(requests["tiles"])
    collection = status["stac_metadata"]["id"]
    assert status["endpoints"]["search"] == f"/search?collections={collection}", "no hash is a permanent key"
    row = client.ddh.execute("SELECT platform.get_mosaic_search(%s)", (requests["tiles"],)).fetchone()
    assert row is not None
    found = client.superuser.execute("SELECT search, metadata FROM pgstac.searches WHERE hash = %s", (row[0]["search_id"],)).fetchone()
    assert found == ({"collections": [collection]}, {"type": "mosaic", "name": collection})
    with pytest.raises(psycopg.Error) as caught:
        client.ddh.execute("SELECT platform.get_mosaic_search(%s)", (requests["landsat"],))
    assert caught.value.sqlstate == "GM404"


def test_what_all_items_share_is_said_of_the_collection(client: Client, requests: dict[str, str]) -> None:
    assets = client.completed(requests["tiles"])["stac_metadata"]["item_assets"]["data"]
    assert assets["title"] == "Continuous values"
    assert assets["bands"] == [{"name": "b1", "data_type": "uint16"}]
    odd = client.completed(requests["odd but warn"])["stac_metadata"]["item_assets"]["data"]
    assert "bands" not in odd


def test_a_job_of_the_version_before_is_finished(client: Client) -> None:
    folder = make_collection(client.sources / "earlier", 2)
    before = {
        "collection_inspect_v2": "collection_inspect",
        "collection_convert_v3": "collection_convert_v2",
        "collection_gather": "stac_collection",
        "collection_publish_v2": "collection_publish",
    }
    rename = "UPDATE app.job_stages SET task_type = %s WHERE task_type = %s"
    with client.superuser.cursor() as cursor:
        cursor.executemany(rename, [(old, new) for new, old in before.items()])
        try:
            request = client.submit(f"{folder}/", "collection")
            client.work()
        finally:
            cursor.executemany(rename, list(before.items()))
    assert len(shown(client, client.completed(request))) == 2
    noted = client.superuser.execute("SELECT FROM platform.member_uses WHERE request_id = %s", (request,)).fetchall()
    assert noted == [], "nobody finds what a worker of the version before may remove"


def shown(client: Client, status: Json) -> list[str]:
    return sorted(item["properties"]["title"] for item in client.search(collections=[status["stac_metadata"]["id"]]))


def title_of(client: Client, status: Json) -> str:
    row = client.superuser.execute(
        "SELECT content ->> 'title' FROM pgstac.collections WHERE id = %s", (status["stac_metadata"]["id"],)
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_failed_revision_leaves_the_old_one_alone(client: Client) -> None:
    path = write(client.sources / "again.tif", ramp())
    first = client.submit_as("again", path)
    client.work()
    before = client.completed(first)
    path.write_text("now it is something else")
    client.submit_as("again", path, overwrite=True)
    client.work()
    after = client.completed(first, "failed")
    assert after["endpoints"] == before["endpoints"]
    assert path_of(before["endpoints"]["cog"]).exists()
    assert len([item for item in client.search() if item["properties"]["geomill:request_id"] == first]) == 1


def test_kill_in_the_middle_of_a_conversion(client: Client) -> None:
    path = write(client.sources / "large.tif", noise((4000, 4000), "float32"))
    request = client.submit(path)
    environment = client.database.environment() | {"GEOMILL_STORAGE": str(client.storage)}
    workers = Workers.start(("--processes", "1"), environment, client.logs / "killed.log")

    def half_made() -> list[Path]:
        return [found for found in (client.storage / CLIENT / request).rglob(".attempt-*") if found.stat().st_size > 0]

    try:
        wait_for(half_made, message="no conversion began")
    finally:
        workers.kill()
    assert half_made()
    assert not client.search(ids=[client_item(client, request)])

    def taken_back() -> bool:
        # What it had sent before it died may still be under way: a beat, say.
        client.superuser.execute("UPDATE app.workers SET last_beat = last_beat - interval '10 minutes'")
        client.superuser.execute("SELECT app.run_janitor()")
        return client.superuser.execute("SELECT FROM app.tasks WHERE status = 'processing'").fetchall() == []

    wait_for(taken_back)
    client.work()
    status = client.completed(request)
    assert [Path(name).suffix for name in client.files(request)] == [".tif"], "neither twice nor half"
    assert cog_validate(path_of(status["endpoints"]["cog"]), strict=True, quiet=True)[0]


def client_item(client: Client, request: str) -> str:
    row = client.superuser.execute("SELECT stac_item_id FROM platform.requests WHERE request_id = %s", (request,)).fetchone()
    assert row is not None
    return str(row[0])


def test_a_zipped_raster(client: Client) -> None:
    place("L7_ETMs.tif", client.sources)
    request = client.submit(shutil.make_archive(str(client.sources / "one"), "zip", client.sources, "L7_ETMs.tif"))
    client.work()
    assert cog_validate(path_of(client.completed(request)["endpoints"]["cog"]), strict=True, quiet=True)[0]


def test_a_path_outside_the_roots_is_refused_at_once(client: Client) -> None:
    with pytest.raises(psycopg.Error) as caught:
        client.submit("/etc/passwd.tif")
    assert caught.value.sqlstate == "GM403"
