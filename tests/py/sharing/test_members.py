"""A member of a collection is converted once: collections show its COG, each in items of its own, and it goes with the last of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.conftest import CLIENT
from tests.py.raster.client import path_of, write
from tests.py.raster.conftest import ramp
from tests.py.sharing.conftest import Sharer
from tests.py.support.stac_extensions import problems

NAMES = ["tile_0.tif", "tile_1.tif", "tile_2.tif"]


def tiles(sharer: Sharer, name: str, seed: int, number: int = 3) -> Path:
    """A folder of rasters like no others."""
    folder = sharer.sources / name
    for index in range(number):
        write(folder / f"tile_{index}.tif", ramp() + 100 * seed + index, 500_000 + 2_000 * index)
    return folder


def change(folder: Path, seed: int, index: int = 1) -> None:
    write(folder / f"tile_{index}.tif", ramp() + 100 * seed + 50, 500_000 + 2_000 * index)


def cogs(sharer: Sharer, request_id: str) -> list[Path]:
    return [path_of(href) for href in sharer.completed(request_id)["endpoints"]["cog"]]


def items(sharer: Sharer, request_id: str) -> list[dict[str, Any]]:
    rows = sharer.rows("SELECT document FROM platform.published_items WHERE request_id = %s ORDER BY item_id", request_id)
    return [row["document"] for row in rows]


def users(sharer: Sharer, *made_by: str, key: str = "%") -> set[str]:
    """The requests that use what these made."""
    statement = "SELECT request_id FROM platform.member_uses WHERE released_at IS NULL AND made_by = ANY (%s) AND key LIKE %s"
    return {row["request_id"] for row in sharer.rows(statement, list(made_by), key)}


def converted(sharer: Sharer, request_id: str) -> list[str]:
    """The files that the request itself made and that are there."""
    return [name for name in sharer.files(request_id) if name.endswith(".tif")]


def take_back(sharer: Sharer, *requests: str) -> None:
    for request in requests:
        sharer.unpublish(request)
    sharer.work()
    assert [sharer.status(request)["status"] for request in requests] == ["unpublished"] * len(requests)
    assert sharer.disagreements() == []


def test_only_the_member_that_changed_is_converted(sharer: Sharer) -> None:
    folder = tiles(sharer, "changed", 1)
    first = sharer.made("changed 1", folder)
    change(folder, 1)
    second = sharer.made("changed 2", folder, title="Second", homogeneity="warn", on_item_error="fail")
    one, two = sharer.completed(first), sharer.completed(second)
    assert (one["reused"], two["reused"], two["reused_from"]) == (None, {"members": 2, "of": 3, "from": [first]}, None)
    assert "2 of 3 members" in two["message"]
    assert sharer.files(second) == ["r1/mosaic.json", "r1/tile_1.tif"]
    before, after = items(sharer, first), items(sharer, second)
    assert [item["properties"].get("geomill:reused_from") for item in after] == [first, None, first]
    assert [mine["assets"] == theirs["assets"] for mine, theirs in zip(after, before, strict=True)] == [True, False, True]
    assert [item["id"] for item in after] == [f"shared_changed 2_v1_tile_{index}" for index in range(3)]
    assert all(problems(item, "item") == [] for item in after)
    document = json.loads(path_of(two["endpoints"]["mosaic"]).read_bytes())
    assert {href for hrefs in document["tiles"].values() for href in hrefs} == set(two["endpoints"]["cog"])
    # Lineage says it from both sides, and from another's that shows the same.
    third = sharer.made("changed 3", folder)
    assert sharer.completed(third)["reused"] == {"members": 3, "of": 3, "from": [first, second] if first < second else [second, first]}
    lineage = {request: sharer.lineage(request) for request in (first, second, third)}
    assert [one["reused"] for one in lineage.values()] == [
        None, {"members": 2, "from": [first]}, {"members": 3, "from": sorted([first, second])},
    ]  # fmt: skip
    assert [one["reused_by"] for one in lineage.values()] == [
        sorted({first, second, third} - {request}) for request in (first, second, third)
    ]
    take_back(sharer, first, second, third)


@pytest.mark.parametrize(
    "config",
    [{"tier": "archive"}, {"kind": "dem"}, {"reprocess": True}, {"overwrite": True}],
    ids=["option", "kind", "reprocess", "overwrite"],
)
def test_what_differs_is_converted(config: dict[str, Any], sharer: Sharer) -> None:
    folder = sharer.sources / "differs"
    if not folder.exists():
        sharer.made("differs", tiles(sharer, "differs", 2, 2))
    request = sharer.made("differs" if "overwrite" in config else f"differs {config}", folder, **config)
    assert sharer.completed(request)["reused"] is None
    assert len(converted(sharer, request)) == 2
    assert sharer.disagreements() == []


def test_the_older_one_goes_first(sharer: Sharer) -> None:
    folder = tiles(sharer, "older", 3)
    first = sharer.made("older 1", folder)
    second = sharer.made("older 2", folder)
    assert sharer.completed(second)["reused"]["members"] == 3
    assert sharer.files(second) == ["r1/mosaic.json"]
    said = sharer.unpublish(first, dry_run=True)
    assert said["files"] == {"storage_prefix": f"{CLIENT}/{first}/r1/", "hrefs": [sharer.completed(first)["endpoints"]["mosaic"]]}
    assert [warning["code"] for warning in said["warnings"]] == ["FILES_KEPT"]
    assert said["warnings"][0]["message"] == f"3 of its files stay, for other requests show them, too: {second}"
    assert len(said["stac_items"]) == 3
    take_back(sharer, first)
    assert sharer.files(first) == [f"r1/{name}" for name in NAMES], "its mosaic has gone"
    assert all(path.exists() for path in cogs(sharer, second))
    # Who shows a COG is as good as who made it; and what was unpublished may come again, and share.
    again = sharer.made("older 1", folder)
    assert (again, sharer.completed(again)["reused"]) == (first, {"members": 3, "of": 3, "from": [second]})
    take_back(sharer, second)
    assert sharer.files(second) == []
    said = sharer.unpublish(first, dry_run=True)
    assert (len(said["files"]["hrefs"]), said["warnings"]) == (4, [])
    take_back(sharer, first)
    assert sharer.files(first) == []


def test_the_newer_one_goes_first(sharer: Sharer) -> None:
    folder = tiles(sharer, "newer", 4)
    first = sharer.made("newer 1", folder)
    change(folder, 4)
    second = sharer.made("newer 2", folder)
    said = sharer.unpublish(second, dry_run=True)
    assert sorted(path_of(href).name for href in said["files"]["hrefs"]) == ["mosaic.json", "tile_1.tif"]
    take_back(sharer, second)
    assert sharer.files(second) == []
    assert sharer.files(first) == ["r1/mosaic.json", *(f"r1/{name}" for name in NAMES)]
    take_back(sharer, first)
    assert sharer.files(first) == []
    assert users(sharer, first, second) == set()


def test_a_revision_that_fails_lets_go_of_what_it_found(sharer: Sharer) -> None:
    """What it found is held until then, though the request that made it has gone."""
    folder = tiles(sharer, "fails", 5)
    first = sharer.made("fails 1", folder)
    change(folder, 5)
    second = sharer.ask("fails 2", folder)
    sharer.superuser.execute("SELECT app.pause_task_type('collection_gather', 'the older one goes first')")
    try:
        assert sharer.work(4) == 4, "it has decided for each member"
        sharer.unpublish(first)
        assert sharer.work(2) == 2
        assert sharer.status(first)["status"] == "unpublished"
        assert sharer.disagreements(repair=True) == []
        assert converted(sharer, first) == ["r1/tile_0.tif", "r1/tile_2.tif"], "which the other had found before"
        sharer.ddh.execute("SELECT platform.cancel_request(%s, 'not wanted')", (second,))
    finally:
        sharer.superuser.execute("SELECT app.resume_task_type('collection_gather')")
    sharer.work()
    assert sharer.files(first) == sharer.files(second) == []
    assert users(sharer, first, second) == set()
    assert sharer.disagreements() == []


def test_what_an_attempt_made_before_it_died_goes(sharer: Sharer) -> None:
    """It found nothing equal, and made a COG; the next attempt finds one, for that was published meanwhile."""
    folder = tiles(sharer, "died", 9, 2)
    first = sharer.made("died 1", folder)
    second = sharer.ask("died 2", folder)
    assert sharer.work(1) == 1, "it is inspected"
    [task] = sharer.rows("SELECT task_id, attempt, task_index FROM app.claim_tasks('dies', ARRAY['collection_convert_v3'], 1)")
    key = f"{CLIENT}/{second}/r1/tile_{task['task_index']}.tif"
    half = sharer.storage.attempt_path(key, task["task_id"], task["attempt"])
    half.write_text("half")
    sharer.storage.path(key).write_text("whole")
    error = Jsonb({"code": "DIED", "message": "it died", "category": "system", "retryable": True})
    sharer.rows("SELECT task_updated FROM app.fail_task(%s, %s, %s)", task["task_id"], task["attempt"], error)
    sharer.superuser.execute("UPDATE app.tasks SET run_at = now() WHERE status = 'pending'")
    sharer.work()
    assert sharer.completed(second)["reused"] == {"members": 2, "of": 2, "from": [first]}
    assert sharer.files(second) == ["r1/mosaic.json"]
    take_back(sharer, first, second)


def test_a_job_that_was_taken_up_long_after_shows_nothing_that_is_gone(sharer: Sharer) -> None:
    folder = tiles(sharer, "late", 6, 2)
    first = sharer.made("late 1", folder)
    second = sharer.ask("late 2", folder)
    sharer.superuser.execute("SELECT app.pause_task_type('collection_publish_v2', 'it is cancelled first')")
    try:
        assert sharer.work(4) == 4
        sharer.ddh.execute("SELECT platform.cancel_request(%s, 'not wanted')", (second,))
    finally:
        sharer.superuser.execute("SELECT app.resume_task_type('collection_publish_v2')")
    sharer.work()
    [job] = sharer.rows("SELECT job_id FROM app.jobs WHERE platform_request_id = %s AND job_type = 'create_mosaic_json'", second)
    sharer.superuser.execute("SELECT app.retry_job(%s)", (job["job_id"],))
    sharer.work()
    status = sharer.status(second)
    assert (status["status"], status["error"]["code"]) == ("failed", "ARTEFACTS_RELEASED")
    assert items(sharer, second) == []
    assert sharer.disagreements() == []
    take_back(sharer, first)
    assert users(sharer, first, second) == set()


def test_a_cog_that_is_not_what_it_was_is_made_again(sharer: Sharer) -> None:
    folder = tiles(sharer, "harmed", 7)
    first = sharer.made("harmed 1", folder)
    gone, changed, _ = cogs(sharer, first)
    whole = {path: path.read_bytes() for path in (gone, changed)}
    gone.unlink()
    changed.write_bytes(bytes([*whole[changed][:-1], whole[changed][-1] ^ 1]))
    second = sharer.made("harmed 2", folder)
    assert sharer.completed(second)["reused"]["members"] == 1
    assert converted(sharer, second) == ["r1/tile_0.tif", "r1/tile_1.tif"]
    assert [path.read_bytes() for path in cogs(sharer, second)[:2]] == [*whole.values()]
    for path, content in whole.items():
        path.write_bytes(content)
    take_back(sharer, first, second)


def test_a_collection_grows_and_is_replaced_beside_another_that_shows_it(sharer: Sharer) -> None:
    folder = tiles(sharer, "grows", 8)
    first = sharer.made("grows 1", folder)
    second = sharer.made("grows 2", folder)
    # One is added, one replaced: of the first revision the one that is shown by nobody but the other stays, too.
    more = sharer.sources / "grows more"
    write(more / "tile_2.tif", ramp() + 870, 504_000)
    write(more / "tile_3.tif", ramp() + 880, 506_000)
    assert sharer.made("grows 1", more, overwrite=True, mode="append") == first
    made = [*(f"r1/{name}" for name in NAMES), "r2/mosaic.json", "r2/tile_2.tif", "r2/tile_3.tif"]
    assert sharer.files(first) == made
    assert sharer.disagreements() == []
    assert users(sharer, first, key="%/r1/tile_2.tif") == {second}
    assert users(sharer, first, key="%/r1/tile_0.tif") == {first, second}
    # What it shows now, of whichever revision, is found.
    both = sharer.sources / "grows both"
    for path in (folder / "tile_0.tif", more / "tile_3.tif"):
        both.mkdir(exist_ok=True)
        (both / path.name).write_bytes(path.read_bytes())
    third = sharer.made("grows 3", both)
    assert sharer.completed(third)["reused"] == {"members": 2, "of": 2, "from": [first]}
    # The other goes: of the first revision the replaced one goes with it.
    take_back(sharer, second)
    assert sharer.files(first) == [name for name in made if name != "r1/tile_2.tif"]
    # Replaced as a whole: what the third shows stays.
    assert sharer.made("grows 1", folder, overwrite=True, mode="replace") == first
    assert sharer.completed(first)["reused"] is None, "an overwrite makes its own"
    assert sharer.files(first) == ["r1/tile_0.tif", "r2/tile_3.tif", "r3/mosaic.json", *(f"r3/{name}" for name in NAMES)]
    assert sharer.disagreements() == []
    take_back(sharer, third)
    assert {name.split("/")[0] for name in sharer.files(first)} == {"r3"}
    take_back(sharer, first)
    assert sharer.files(first) == []
    assert users(sharer, first, second) == set()
