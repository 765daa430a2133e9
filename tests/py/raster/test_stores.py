"""The same results whichever store: a raster and a collection from a bucket into a bucket, by real workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from tests.conftest import CLIENT
from tests.py.raster.client import Client, make_collection, write
from tests.py.raster.conftest import noise
from tests.py.support import gcs, s3
from workers import consistency, object_store
from workers.storage import Storage

_OF_THE_REQUEST = ("created", "geomill:job_id", "geomill:request_id", "ddh:resource_id", "title")


@pytest.fixture(scope="module", params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Bucket]:
    folder = tmp_path_factory.mktemp("server")
    with s3.bucket() if request.param == "s3" else gcs.bucket(folder) as one, pytest.MonkeyPatch.context() as patch:
        for name, value in one.environment.items():
            patch.setenv(name, value)
        object_store._store.cache_clear()
        yield one
    object_store._store.cache_clear()


@pytest.fixture(scope="module")
def in_bucket(client: Client, bucket: s3.Bucket) -> Client:
    """The client, whose workers keep artefacts in the bucket; it may read from there too."""
    client.superuser.execute("SELECT platform.allow_source_root(%s, %s)", (CLIENT, f"{bucket.url}/sources/"))
    settings = {"GEOMILL_STORAGE": f"{bucket.url}/out", "GEOMILL_SCRATCH": str(client.logs), **bucket.environment}
    return Client(client.database, client.sources, client.storage, client.logs, settings)


def upload(bucket: s3.Bucket, path: Path, key: str) -> str:
    object_store.put(bucket.url, key, path)
    return f"{bucket.url}/{key}"


def comparable(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what is its request's own."""
    properties = {key: value for key, value in item["properties"].items() if key not in _OF_THE_REQUEST}
    assets = {key: {**asset, "href": None} for key, asset in item["assets"].items()}
    return {**item, "id": None, "links": None, "properties": properties, "assets": assets}


def test_a_raster_is_the_same_from_and_in_a_bucket(client: Client, in_bucket: Client, bucket: s3.Bucket) -> None:
    # Another raster for each store: what an equal request has made is not made again.
    path = write(client.sources / "same.tif", noise((300, 300), "float32", seed=ord(bucket.url[0])))
    there = upload(bucket, path, "sources/same.tif")
    when = "2024-05-01T00:00:00Z"
    to_bucket, remote = client.submit(path, datetime=when), client.submit(there, datetime=when)
    in_bucket.work()
    local = client.submit(path, datetime=when)
    client.work()
    items = {name: client.completed(name)["stac_metadata"] for name in (to_bucket, remote, local)}
    assert comparable(items[local]) == comparable(items[remote]) == comparable(items[to_bucket])
    href = client.completed(remote)["endpoints"]["cog"]
    assert href.startswith(f"{bucket.url}/out/{CLIENT}/{remote}/r1/")
    with Storage.at(client.storage).open_source(href, [f"{bucket.url}/out/"]) as source:
        assert source.size == items[remote]["assets"]["data"]["file:size"]


def test_a_collection_below_a_prefix(client: Client, in_bucket: Client, bucket: s3.Bucket) -> None:
    for path in sorted(make_collection(client.sources / "tiles", 2).iterdir()):
        upload(bucket, path, f"sources/tiles/{path.name}")
    request = client.submit(f"{bucket.url}/sources/tiles/", "collection")
    in_bucket.work()
    status = client.completed(request)
    assert [href.rpartition("/")[2] for href in status["endpoints"]["cog"]] == ["tile_0.tif", "tile_1.tif"]
    storage = Storage.at(f"{bucket.url}/out")
    assert [stored.name.rpartition("/")[2] for stored in storage.listed(f"{CLIENT}/{request}")] == [
        "mosaic.json",
        "tile_0.tif",
        "tile_1.tif",
    ]


@pytest.mark.slow
def test_what_is_in_the_bucket_agrees_and_goes(client: Client, in_bucket: Client, bucket: s3.Bucket) -> None:
    path = write(client.sources / "goes.tif", noise((50, 50), "float32"))
    request = client.submit(path)
    in_bucket.work()
    storage = Storage.at(f"{bucket.url}/out")
    upload(bucket, path, f"out/{CLIENT}/{request}/r1/stray.tif")
    with client.database.connect("worker") as connection:
        found, nobodys = consistency.find(connection, storage, lambda: None)
        assert [one.subject for one in found if one.kind == "file_of_nobody"] == [f"{CLIENT}/{request}/r1/stray.tif"]
        consistency.repair(connection, storage, found, nobodys, lambda: None)
    assert len(list(storage.listed(f"{CLIENT}/{request}"))) == 1
    client.ddh.execute("SELECT platform.unpublish_request(%s, false)", (request,))
    in_bucket.work()
    assert client.status(request)["status"] == "unpublished"
    assert list(storage.listed(f"{CLIENT}/{request}")) == []


def test_a_vector_is_loaded_in_chunks_from_a_bucket(client: Client, in_bucket: Client, bucket: s3.Bucket) -> None:
    path = client.sources / "points.geojson"
    features = [
        {"type": "Feature", "properties": {"n": number}, "geometry": {"type": "Point", "coordinates": [number / 100, 1]}}
        for number in range(3000)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    request = client.submit(upload(bucket, path, "sources/points.geojson"), "vector", chunk_rows=1000)
    in_bucket.work()
    table = client.completed(request)["endpoints"]["table"].removeprefix("geo.")
    count = sql.SQL("SELECT count(*) FROM geo.{}").format(sql.Identifier(table))
    assert client.superuser.execute(count).fetchone() == (3000,)
