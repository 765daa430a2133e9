"""Requests, tables, items and files agree; each way in which they do not is found, and mended where that can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, LiteralString

import pytest
from psycopg import sql

from tests.conftest import CLIENT
from tests.py.raster.client import Client, make_collection, path_of, write
from tests.py.raster.conftest import ramp
from tests.py.support.samples import place
from workers import consistency
from workers.storage import Storage

NOBODY = "f" * 32


Found = list[tuple[str, str]]


@dataclass
class Published:
    """A client that has published one of each sort."""

    client: Client
    raster: str
    collection: str
    vector: str

    def check(self, *, repair: bool = False) -> Found:
        """The findings by kind and subject; what was mended begins with it."""
        storage = Storage.at(self.client.storage)
        with self.client.database.connect("worker") as connection:
            found, nobodys = consistency.find(connection, storage, lambda: None)
            if repair:
                found = consistency.repair(connection, storage, found, nobodys, lambda: None)
        return [(f"{'mended ' if one.repaired else ''}{one.kind}", one.subject) for one in found]

    def run(self, statement: LiteralString | sql.Composed, *values: object) -> Any:
        cursor = self.client.superuser.execute(statement, values)
        return cursor.fetchone() if cursor.description else None

    def found_and_mended(self, kind: str, subject: str) -> None:
        """It is found, not by another name, and once it has been mended nothing is found."""
        assert self.check() == [(kind, subject)]
        assert self.check(repair=True) == [(f"mended {kind}", subject)]
        assert self.check() == []

    def only_found(self, kind: str, subject: str) -> None:
        assert self.check(repair=True) == [(kind, subject)]


@pytest.fixture(scope="module")
def published(client: Client) -> Published:
    raster = client.submit(write(client.sources / "one.tif", ramp()))
    collection = client.submit(f"{make_collection(client.sources / 'tiles', 2)}/", "collection")
    vector = client.submit(place("nc.gpkg", client.sources), "vector", table_name="counties")
    client.work()
    for request in (raster, collection, vector):
        client.completed(request)
    return Published(client, raster, collection, vector)


def test_what_was_published_agrees(published: Published) -> None:
    assert published.check() == []


def test_an_item_that_the_catalogue_lost(published: Published) -> None:
    item = published.client.status(published.raster)["stac_metadata"]["id"]
    published.run("DELETE FROM pgstac.items WHERE id = %s", item)
    published.found_and_mended("item_lost", f"ddh_rasters/{item}")
    assert [found["id"] for found in published.client.search(ids=[item])] == [item]


def test_a_collection_that_the_catalogue_lost(published: Published) -> None:
    collection = published.client.status(published.collection)["stac_metadata"]["id"]
    published.run("SELECT pgstac.delete_collection(%s)", collection)
    assert {kind for kind, _ in published.check(repair=True)} == {"mended collection_lost", "mended item_lost"}
    assert len(published.client.search(collections=[collection])) == 2
    assert published.check() == []


@pytest.mark.parametrize("kept", [True, False])
def test_an_item_of_nobody(kept: bool, published: Published) -> None:
    [document] = published.run(
        "SELECT jsonb_set(jsonb_set(document, '{id}', '\"stray\"'), '{properties,geomill:request_id}', to_jsonb(%s::text))"
        " FROM platform.published_items WHERE request_id = %s",
        NOBODY,
        published.raster,
    )
    published.run("SELECT app.stac_upsert_items(%s::jsonb)", json.dumps([document]))
    if not kept:
        published.run("DELETE FROM platform.published_items WHERE item_id = 'stray'")
    published.found_and_mended("item_of_nobody", "ddh_rasters/stray")
    assert published.client.search(ids=["stray"]) == []


def test_an_item_that_was_not_kept(published: Published) -> None:
    item = published.client.status(published.raster)["stac_metadata"]["id"]
    before = published.run("SELECT document FROM platform.published_items WHERE item_id = %s", item)
    published.run("DELETE FROM platform.published_items WHERE item_id = %s", item)
    published.found_and_mended("item_not_kept", f"ddh_rasters/{item}")
    [after] = published.run("SELECT document FROM platform.published_items WHERE item_id = %s", item)
    assert after["assets"] == before[0]["assets"]
    assert path_of(after["assets"]["data"]["href"]).exists(), "what its item shows was not taken for nobody's"


def test_a_collection_of_nobody(published: Published) -> None:
    published.run(
        "SELECT app.stac_upsert_collection(document || jsonb_build_object('id', 'ddh_stray', 'geomill:request_id', %s::text))"
        " FROM platform.published_collections WHERE request_id = %s",
        NOBODY,
        published.collection,
    )
    published.found_and_mended("collection_of_nobody", "ddh_stray")


def test_tables_of_nobody(published: Published) -> None:
    staging = f"_load_{'0' * 24}"
    for name in (staging, "stray", "a_strangers"):
        table = sql.Identifier("geo", name)
        published.run(sql.SQL("CREATE TABLE {0} (); ALTER TABLE {0} OWNER TO geomill_worker").format(table))
    comment = f"Stray\n\ngeomill: client={CLIENT} request={NOBODY} revision=1 job=x"
    published.run(sql.SQL("COMMENT ON TABLE geo.stray IS {}").format(sql.Literal(comment)))
    assert published.check() == [("table_of_nobody", f"geo.{staging}"), ("table_of_nobody", "geo.stray")]
    published.check(repair=True)
    assert published.run(
        "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND relkind = 'r'"
    ) == (["a_strangers", "counties"],)
    assert published.check() == []


def test_a_table_that_is_gone(published: Published) -> None:
    published.run("ALTER TABLE geo.counties RENAME TO hidden")
    # Under its other name it is still marked as the request's, which shows it.
    published.only_found("table_lost", "geo.counties")
    published.run("ALTER TABLE geo.hidden RENAME TO counties")
    assert published.check() == []


def test_files_of_nobody(published: Published) -> None:
    storage = published.client.storage / CLIENT
    names = [f"{published.raster}/r1/.attempt-7-1-one.tif", f"{published.raster}/r1/other.tif", f"{NOBODY}/r3/left.tif"]
    for name in names:
        (storage / name).parent.mkdir(parents=True, exist_ok=True)
        (storage / name).touch()
    (published.client.storage / "a strangers.txt").touch()
    found = [("file_of_nobody", f"{CLIENT}/{name}") for name in sorted(names)]
    assert published.check() == found
    published.check(repair=True)
    assert not (storage / NOBODY).exists()
    assert (published.client.storage / "a strangers.txt").exists()
    assert published.check() == []


def test_a_file_that_is_gone_or_changed(published: Published) -> None:
    cog = path_of(published.client.status(published.raster)["endpoints"]["cog"])
    key = str(cog.relative_to(published.client.storage))
    whole = cog.read_bytes()
    cog.write_bytes(whole[:-1])
    published.only_found("file_changed", key)
    cog.unlink()
    published.only_found("file_lost", key)
    mosaic = path_of(published.client.status(published.collection)["endpoints"]["mosaic"])
    document = mosaic.read_bytes()
    mosaic.unlink()
    assert ("file_lost", str(mosaic.relative_to(published.client.storage))) in published.check()
    cog.write_bytes(whole)
    mosaic.write_bytes(document)
    assert published.check() == []


def test_what_is_being_worked_on_is_left_alone(published: Published) -> None:
    client = published.client
    request = client.submit(f"{make_collection(client.sources / 'half', 2)}/", "collection")
    client.work("--task-types", "collection_inspect_v2,collection_convert_v3,collection_gather")
    assert len(client.files(request)) == 2
    assert published.check(repair=True) == []
    client.work()
    assert len(client.completed(request)["endpoints"]["cog"]) == 2
    assert published.check() == []


def test_from_the_command_line(published: Published) -> None:
    stray = published.client.storage / CLIENT / NOBODY / "r1" / "left.tif"
    stray.parent.mkdir(parents=True)
    stray.touch()
    environment = {**os.environ, **published.client.database.environment(), "GEOMILL_STORAGE": str(published.client.storage)}

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "workers.consistency", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.splitlines()[0]

    name = f"{CLIENT}/{NOBODY}/r1/left.tif"
    assert run() == (1, f"file_of_nobody {name}: no item and no request shows it")
    assert run("--repair") == (0, f"mended file_of_nobody {name}: no item and no request shows it")
    assert not stray.exists()


@pytest.mark.slow
def test_as_a_job(published: Published) -> None:
    stray = published.client.storage / CLIENT / NOBODY / "r1" / "left.tif"
    stray.parent.mkdir(parents=True)
    stray.touch()
    [job] = published.run("SELECT app.submit_job('check_consistency', '{\"repair\": true}')")
    published.client.work()
    [result] = published.run("SELECT result_data FROM app.jobs WHERE job_id = %s", job)
    assert (result["found"], result["repaired"]) == ({"file_of_nobody": 1}, 1)
    assert not stray.exists()
