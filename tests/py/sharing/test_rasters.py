"""The same raster with the same options is converted once; several requests show the COG, and it goes with the last of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CLIENT
from tests.py.raster.client import write
from tests.py.raster.conftest import ramp
from tests.py.sharing.conftest import Sharer
from tests.py.support.stac_extensions import problems

ONLY_NAMED = {"title": "Another", "keywords": ["named"], "datetime": "2020-01-01T00:00:00Z", "priority": 5, "stac_collection": "others"}


def raster(sharer: Sharer, name: str, seed: int) -> Path:
    """A raster like no other."""
    return write(sharer.sources / name, ramp() + seed)


@pytest.fixture(scope="module")
def requests(sharer: Sharer) -> dict[str, str]:
    """One that was made, and what was asked for afterwards."""
    first = raster(sharer, "first.tif", 1)
    copied, beside, elevation = (sharer.sources / name for name in ("copied.tif", "beside.tif", "elevation_2.tif"))
    for copy in (copied, beside, elevation):
        shutil.copy(first, copy)
    beside.with_suffix(".tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>1.0</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    made = {"first": sharer.made("first", first)}
    asked: dict[str, tuple[Path, dict[str, Any]]] = {
        "copied": (copied, {}),
        "named": (first, ONLY_NAMED),
        "defaults": (first, {"tier": "analysis", "strict": False}),
        "tier": (first, {"tier": "archive"}),
        "nodata": (first, {"nodata": 3.0}),
        "beside": (beside, {}),
        "elevation": (elevation, {}),
        "other bytes": (raster(sharer, "other.tif", 2), {}),
        "reprocess": (first, {"reprocess": True}),
    }
    for name, (path, config) in asked.items():
        made[name] = sharer.ask(name, path, **config)
    sharer.work()
    return made


@pytest.mark.parametrize("name", ["copied", "named", "defaults"])
def test_what_is_equal_is_not_converted_again(name: str, requests: dict[str, str], sharer: Sharer) -> None:
    first, status = sharer.completed(requests["first"]), sharer.completed(requests[name])
    assert sharer.tasks_of(requests[name]) == ["raster_validate_v2", "stac_raster_v3"]
    assert sharer.files(requests[name]) == []
    assert status["endpoints"]["cog"] == first["endpoints"]["cog"]
    assert (first["reused_from"], status["reused_from"]) == (None, requests["first"])
    assert requests["first"] in status["message"]
    mine, theirs = status["stac_metadata"], first["stac_metadata"]
    assert mine["id"] == f"shared_{name}_v1"
    assert problems(mine, "item") == []
    assert mine["assets"] == theirs["assets"]
    assert mine["properties"]["geomill:reused_from"] == requests["first"]
    assert mine["properties"]["geomill:request_id"] == requests[name]


def test_each_item_has_words_of_its_own(requests: dict[str, str], sharer: Sharer) -> None:
    copied, named = (sharer.completed(requests[name])["stac_metadata"] for name in ("copied", "named"))
    assert copied["properties"]["geomill:source_file"] == "copied.tif"
    assert (named["properties"]["title"], named["properties"]["datetime"], named["collection"]) == (
        "Another", "2020-01-01T00:00:00Z", "ddh_others",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["tier", "nodata", "beside", "elevation", "other bytes", "reprocess"])
def test_what_differs_is_converted(name: str, requests: dict[str, str], sharer: Sharer) -> None:
    status = sharer.completed(requests[name])
    assert status["reused_from"] is None
    assert "raster_convert_v2" in sharer.tasks_of(requests[name])
    assert sharer.cog(requests[name]) != sharer.cog(requests["first"])


def test_lineage_shows_both(requests: dict[str, str], sharer: Sharer) -> None:
    lineage = {
        name: sharer.ddh.execute("SELECT platform.get_lineage(%s) AS lineage", (requests[name],)).fetchall()[0]["lineage"]
        for name in ("first", "copied")
    }
    assert lineage["copied"]["reused_from"] == requests["first"]
    assert requests["copied"] in lineage["first"]["reused_by"]
    assert {requests["first"], requests["named"]} <= set(lineage["copied"]["reused_by"])
    found = sharer.ddh.execute("SELECT request_id FROM platform.find_by_source(%s)", (lineage["first"]["source"]["checksum"],)).fetchall()
    assert {requests["first"], requests["copied"]} <= {row["request_id"] for row in found}


def test_it_goes_with_the_last_that_shows_it(sharer: Sharer) -> None:
    path = raster(sharer, "goes.tif", 3)
    first = sharer.made("goes 1", path)
    second = sharer.made("goes 2", path)
    third = sharer.made("goes 3", path)
    cog = sharer.cog(first)
    for request, others in ((first, [second, third]), (third, [second])):
        said = sharer.unpublish(request, dry_run=True)
        assert (said["files"], [warning["code"] for warning in said["warnings"]]) == ({"storage_prefix": None, "hrefs": []}, ["FILES_KEPT"])
        assert all(other in said["warnings"][0]["message"] for other in others)
        assert len(said["stac_items"]) == 1, "its item goes"
        sharer.unpublish(request)
        sharer.work()
        assert sharer.status(request)["status"] == "unpublished"
        assert cog.exists()
        assert sharer.disagreements() == []
    said = sharer.unpublish(second, dry_run=True)
    assert said["files"] == {"storage_prefix": f"{CLIENT}/{first}/r1/", "hrefs": [cog.as_uri()]}
    assert said["warnings"] == []
    # One that shows it is as good as the one that made it; and what was unpublished may come again, and share.
    fourth = sharer.made("goes 4", path)
    again = sharer.made("goes 1", path)
    assert again == first
    assert [sharer.completed(request)["reused_from"] for request in (fourth, again)] == [second, fourth]
    assert sharer.cog(again) == cog
    for request in (second, fourth, again):
        sharer.unpublish(request)
    sharer.work()
    assert not cog.exists()
    assert sharer.files(first) == []
    assert sharer.disagreements() == []


def test_an_overwrite_leaves_the_old_to_who_shows_it(sharer: Sharer) -> None:
    path = raster(sharer, "overwritten.tif", 4)
    first = sharer.made("overwritten 1", path)
    second = sharer.made("overwritten 2", path)
    cog = sharer.cog(first)
    assert sharer.made("overwritten 1", path, overwrite=True, title="Anew") == first
    assert sharer.completed(first)["reused_from"] is None
    assert sharer.files(first) == [f"r1/{cog.name}", f"r2/{cog.name}"]
    assert sharer.cog(second) == cog
    assert sharer.disagreements() == []
    sharer.unpublish(second)
    sharer.work()
    assert sharer.files(first) == [f"r2/{cog.name}"]


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_cog_that_is_not_what_it_was_is_made_again(harm: str, sharer: Sharer) -> None:
    path = raster(sharer, f"{harm}.tif", 5 if harm == "gone" else 6)
    cog = sharer.cog(sharer.made(f"{harm} 1", path))
    whole = cog.read_bytes()
    if harm == "gone":
        cog.unlink()
    else:
        cog.write_bytes(bytes([*whole[:-1], whole[-1] ^ 1]))
    second = sharer.made(f"{harm} 2", path)
    assert sharer.completed(second)["reused_from"] is None
    assert sharer.cog(second).read_bytes() == whole
    cog.write_bytes(whole)


def test_what_is_about_to_be_shown_is_held(sharer: Sharer) -> None:
    """The first one goes, and the files are looked after, between the decision to share and the publication."""
    path = raster(sharer, "held.tif", 7)
    first = sharer.made("held 1", path)
    cog = sharer.cog(first)
    second = sharer.ask("held 2", path)
    assert sharer.work(1) == 1, "it has decided"
    sharer.unpublish(first)
    sharer.superuser.execute("SELECT app.pause_task_type('stac_raster_v3', 'the removal goes first')")
    sharer.work(2)
    sharer.superuser.execute("SELECT app.resume_task_type('stac_raster_v3')")
    assert sharer.status(first)["status"] == "unpublished"
    assert sharer.disagreements(repair=True) == []
    sharer.work()
    assert sharer.cog(second) == cog
    assert cog.exists()


def test_who_fails_to_show_it_lets_go_of_it(sharer: Sharer) -> None:
    path = raster(sharer, "let_go.tif", 8)
    first = sharer.made("let go 1", path)
    cog = sharer.cog(first)
    second = sharer.ask("let go 2", path)
    sharer.work(1)
    sharer.ddh.execute("SELECT platform.cancel_request(%s, 'not wanted')", (second,))
    sharer.work()
    assert cog.exists()
    sharer.unpublish(first)
    sharer.work()
    assert not cog.exists()
    assert sharer.disagreements() == []


def test_a_job_that_was_taken_up_long_after_shows_nothing_that_is_gone(sharer: Sharer) -> None:
    path = raster(sharer, "late.tif", 9)
    first = sharer.made("late 1", path)
    second = sharer.ask("late 2", path)
    sharer.work(1)
    sharer.ddh.execute("SELECT platform.cancel_request(%s, 'not wanted')", (second,))
    sharer.unpublish(first)
    sharer.work()
    [job] = sharer.rows("SELECT job_id FROM app.jobs WHERE platform_request_id = %s AND job_type = 'process_raster'", second)
    sharer.superuser.execute("SELECT app.retry_job(%s)", (job["job_id"],))
    sharer.work()
    status = sharer.status(second)
    assert (status["status"], status["error"]["code"]) == ("failed", "ARTEFACTS_RELEASED")
    assert sharer.disagreements() == []
