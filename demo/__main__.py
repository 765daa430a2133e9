"""`make demo`: three requests as DDH, live progress, what came of them, and a check of everything that is shown.

Exit code 0 only if all of it is true: 177 countries in the table, valid COGs on disk, the STAC items found by search.
Run again, the requests are found done and nothing is made twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql
from rio_cogeo.cogeo import cog_validate

from codegen.connection import connect
from demo.client import Wanted, one_row, retry, search, status, submit, watch
from demo.picture import draw
from demo.sources import COUNTRIES, SCENE, cut_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(os.environ.get("GEOMILL_HOME", ".geomill")).resolve()
CLIENT = "ddh_v1"
PATIENCE = 300.0
COUNTRY_COUNT = 177
TILE_COUNT = 4


class DemoFailedError(Exception):
    """Something that the demo shows is not as it should be."""


def expect(truth: bool, claim: str) -> None:
    """Say that a claim holds, or fail with it."""
    if not truth:
        raise DemoFailedError(claim)
    print(f"  ok  {claim}")


def heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def allow_sources(folders: list[Path]) -> None:
    """What an administrator does once for a client: say where its sources may lie."""
    with connect("admin") as admin:
        for folder in folders:
            admin.execute("SELECT platform.allow_source_root(%s, %s)", (CLIENT, f"{folder}/"))


@contextmanager
def workers(log: Path) -> Iterator[None]:
    """Two worker processes for as long as the demo lasts; they drain at the end."""
    with log.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-m", "workers", "--processes", "2"], stdout=stream, stderr=stream)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def local_path(href: str) -> Path:
    """The file behind a file URL."""
    return Path(unquote(urlsplit(href).path))


def check_cogs(hrefs: list[str]) -> list[Path]:
    """Each COG exists and is valid, strictly."""
    paths = [local_path(href) for href in hrefs]
    for path in paths:
        valid, errors, warnings = cog_validate(str(path), strict=True)
        expect(valid, f"{path.name}: valid COG, {path.stat().st_size / 1024:.0f} KiB" + (f" ({errors or warnings})" if not valid else ""))
    return paths


def show_rows(ddh: psycopg.Connection[Any], table: str) -> int:
    """Print a few rows of the new table, and return how many it has."""
    name = sql.Identifier(*table.split("."))
    count = int(one_row(ddh, sql.SQL("SELECT count(*) FROM {}").format(name))[0])
    for sample in ddh.execute(
        sql.SQL(
            "SELECT objectid, name, continent, public.ST_GeometryType(geom), source_file, source_crs FROM {} ORDER BY pop_est DESC LIMIT 3"
        ).format(name)
    ):
        print("  " + " | ".join(str(value) for value in sample))
    return count


def run() -> None:
    """The demo; raises DemoFailedError where something is not as it should be."""
    started = time.monotonic()
    tiles = HOME / "demo" / "tiles"
    cut_tiles(tiles)
    allow_sources([COUNTRIES.parent, tiles])
    wanted = [
        Wanted(
            "vector", "natural_earth", "countries", str(COUNTRIES), "vector", {"title": "Countries of the world", "indexes": ["iso_a3"]}
        ),
        Wanted("raster", "landsat", "olinda", str(SCENE), "raster", {"title": "Landsat 7 over Olinda"}),
        Wanted("collection", "landsat", "olinda_tiles", f"{tiles}/", "collection", {"title": "Landsat 7 over Olinda, in tiles"}),
    ]

    with connect("ddh") as ddh, workers(HOME / "demo" / "workers.log"):
        heading("Three requests, as DDH, through SQL alone")
        requests: dict[str, str] = {}
        for each in wanted:
            requests[each.label], created = submit(ddh, each)
            word = "submitted" if created else "known already"
            if not created and status(ddh, requests[each.label])["status"] in ("failed", "cancelled"):
                retry(ddh, requests[each.label])
                word = "taken up again"
            print(f"  {each.label:10s} {requests[each.label]}  {word:14s}  {each.source_path}")
        documents = watch(ddh, requests, PATIENCE)
        for label, document in documents.items():
            if document["status"] != "completed":
                raise DemoFailedError(f"the {label} request ended {document['status']}: {json.dumps(document['error'])}")

        heading("The new table")
        table = documents["vector"]["endpoints"]["table"]
        expect(show_rows(ddh, table) == COUNTRY_COUNT, f"{table} has {COUNTRY_COUNT} countries")

        heading("The COGs on disk")
        scene = check_cogs([documents["raster"]["endpoints"]["cog"]])[0]
        expect(len(check_cogs(documents["collection"]["endpoints"]["cog"])) == TILE_COUNT, f"{TILE_COUNT} members in the collection")
        mosaic = json.loads(local_path(documents["collection"]["endpoints"]["mosaic"]).read_text())
        expect("mosaicjson" in mosaic and len(mosaic["tiles"]) > 0, f"a MosaicJSON document over them, {len(mosaic['tiles'])} tiles")

        heading("The STAC items, found by search")
        for label, count in (("vector", 1), ("raster", 1), ("collection", TILE_COUNT)):
            collection = documents[label]["endpoints"]["stac_collection"].rsplit("/", 1)[-1]
            found = [item for item in search(ddh, [collection]) if item["properties"].get("geomill:request_id") == requests[label]]
            for item in found:
                print(f"  {item['collection']} / {item['id']}  bbox {[round(x, 3) for x in item['bbox']]}")
            expect(len(found) == count, f"{count} in {collection}")

        heading("The status document of the vector request")
        shown = {key: value for key, value in documents["vector"].items() if key != "stac_metadata"}
        print("  " + json.dumps(shown, indent=2, default=str).replace("\n", "\n  "))

        heading("A picture of it")
        picture = HOME / "demo" / "map.png"
        draw(ddh, table, scene, picture)
        expect(picture.stat().st_size > 50_000, f"{picture}")

    heading("Connect")
    print('  as DDH             psql "$(make -s dsn ROLE=ddh)"')
    print('  as another role    psql "$(make -s dsn ROLE=owner)"        owner, worker, admin, reader')
    print("  workers            make workers N=2")
    print("  what is going on   make status")
    print(f"\nDone in {time.monotonic() - started:.0f} s.")


def main() -> int:
    try:
        run()
    except (DemoFailedError, TimeoutError) as failure:
        log = HOME / "demo" / "workers.log"
        print(f"\nThe demo failed: {failure}\nThe workers' log is {log}; `make status` shows what is going on.", file=sys.stderr)
        return 1
    except psycopg.Error as failure:
        print(f"\nThe demo failed in the database: {failure}\n`make up` makes and deploys one; `make verify` checks it.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
