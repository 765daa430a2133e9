"""DDH has its results measured: with the request, or afterwards; and they go as the request goes."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import CLIENT
from tests.py.h3.conftest import Bench
from tests.py.integration.ddh import OPEN, Ddh
from tests.py.support.samples import place
from tests.py.support.waiting import wait_for

GRID = {"grid_id": "olinda", "resolution": 7}


@pytest.fixture(scope="module")
def hub(bench: Bench) -> Ddh:
    """The client, a folder of its own with an elevation model and counties, and a grid over both."""
    folder = bench.storage.parent / "sources"
    folder.mkdir()
    with bench.database.connect() as connection:
        connection.execute("INSERT INTO platform.source_roots (client_id, root) VALUES (%s, %s)", (CLIENT, f"{folder}/"))
    for name, box, resolution in (("olinda", [-35.0, -8.2, -34.7, -7.8], 7), ("carolina", [-85.0, 33.0, -75.0, 37.0], 3)):
        asked = {"grid_id": name, "resolutions": [resolution], "filter": {"kind": "bbox", "bbox": box}, "containment": "overlap"}
        assert bench.run("bootstrap_h3_grid", asked)[0] == "completed"
    return Ddh(bench.database)


def source(bench: Bench, name: str) -> str:
    return str(place(name, bench.storage.parent / "sources"))


def ended(hub: Ddh, request: str) -> dict[str, Any]:
    wait_for(lambda: hub.status(request)["status"] not in OPEN, timeout=400)
    return hub.status(request)


def statistics(hub: Ddh, request: str) -> list[dict[str, Any]]:
    with hub.database.connect("ddh") as connection:
        row = connection.execute("SELECT platform.get_statistics(%s)", (request,)).fetchone()
        assert row is not None
        found: list[dict[str, Any]] = row[0]
        return found


def measured(hub: Ddh, request: str) -> list[dict[str, Any]]:
    """The measurements, once all have ended."""
    found: list[dict[str, Any]] = []

    def all_ended() -> bool:
        found[:] = statistics(hub, request)
        return bool(found) and all(one["status"] not in OPEN for one in found)

    wait_for(all_ended, timeout=400)
    return found


def rows(hub: Ddh, request: str) -> list[tuple[Any, ...]]:
    with hub.database.connect("ddh") as connection:
        return connection.execute(
            "SELECT DISTINCT grid_id, resolution, revision, stac_collection_id, stac_item_id, variable FROM h3.statistics"
            " WHERE request_id = %s ORDER BY grid_id, resolution, revision, variable",
            (request,),
        ).fetchall()


def test_a_raster_is_measured_once_it_is_published_and_goes_with_its_request(hub: Ddh, bench: Bench) -> None:
    path = source(bench, "olinda_dem_utm25s.tif")
    request, _ = hub.submit("dem", path, None, h3=GRID | {"coarsest_resolution": 6})
    document = ended(hub, request)
    assert (document["status"], document["error"]) == ("completed", None)
    [one] = measured(hub, request)
    assert (one["status"], one["error"], one["revision"], one["is_current"]) == ("completed", None, 1, True)
    item = document["stac_metadata"]
    assert rows(hub, request) == [("olinda", r, 1, item["collection"], item["id"], "b1") for r in (6, 7)]

    # The same without h3 is other content; and once it is published, nothing is left of what was measured before.
    state, problems = hub.refused("dem", path)
    assert (state, problems[0]["code"]) == ("GM409", "REQUEST_EXISTS")
    hub.submit("dem", path, None, h3=GRID | {"weighting": "area"}, overwrite=True)
    assert ended(hub, request)["revision"] == 2
    assert [one["status"] for one in measured(hub, request)] == ["completed", "completed"]
    assert rows(hub, request) == [("olinda", 7, 2, item["collection"], item["id"], "b1")]
    with hub.database.connect("worker") as worker:
        assert worker.execute("SELECT array_agg(revision) FROM h3.zonal_runs WHERE request_id = %s", (request,)).fetchone() == ([2],)

    with hub.database.connect("ddh") as connection:
        connection.execute("SELECT platform.unpublish_request(%s, dry_run => false)", (request,))
    wait_for(lambda: hub.status(request)["status"] == "unpublished", timeout=400)
    assert rows(hub, request) == []
    with hub.database.connect("worker") as worker:
        assert worker.execute("SELECT count(*) FROM h3.zonal_runs WHERE request_id = %s", (request,)).fetchone() == (0,)
    refused(hub, request, GRID, "GM409", "NOT_PUBLISHED")


def test_a_table_is_measured_afterwards(hub: Ddh, bench: Bench) -> None:
    request, _ = hub.submit("counties", source(bench, "nc.gpkg"))
    assert ended(hub, request)["status"] == "completed"
    assert statistics(hub, request) == []
    options = {"grid_id": "carolina", "resolution": 3, "attributes": ["bir74"]}
    with hub.database.connect("ddh") as connection:
        for _ in range(2):
            row = connection.execute("SELECT platform.request_statistics(%s, %s)", (request, Jsonb(options))).fetchone()
            assert row is not None
            assert len(row[0]) == 1, "asked again it is the same"
    [one] = measured(hub, request)
    assert (one["status"], one["error"]) == ("completed", None)
    with hub.database.connect("ddh") as connection:
        summed = connection.execute(
            "SELECT variable, sum(count), sum(sum) FROM h3.statistics WHERE request_id = %s GROUP BY variable ORDER BY variable", (request,)
        ).fetchall()
        [(rows_there, births)] = connection.execute("SELECT count(*), sum(bir74) FROM geo.road_counties_v1").fetchall()
    assert summed == [("bir74", rows_there, births), ("features", rows_there, None)]


def test_a_measurement_is_a_request_of_its_own(hub: Ddh, bench: Bench) -> None:
    relief, _ = hub.submit("relief", source(bench, "olinda_dem_utm25s.tif"))
    item = ended(hub, relief)["stac_metadata"]
    asked = ("cells", f"request:{relief}", "h3_statistics")
    request, created = hub.submit(*asked, h3=GRID)
    assert created
    document = ended(hub, request)
    assert (document["status"], document["error"], document["progress_percent"]) == ("completed", None, 100)
    shown = document["endpoints"]["h3"]
    assert (shown["view"], shown["dataset_id"], shown["grid_id"]) == ("h3.statistics", f"{CLIENT}/road_cells_v1", "olinda")
    assert rows(hub, request) == [("olinda", 7, 1, item["collection"], item["id"], "b1")], "joined to the item of what is measured"
    with hub.database.connect("ddh") as connection:
        [(cells,)] = connection.execute("SELECT count(*) FROM h3.statistics WHERE dataset_id = %s", (shown["dataset_id"],)).fetchall()
    assert cells == shown["cells"] > 0
    assert hub.submit(*asked, h3=GRID) == (request, False)
    [one] = statistics(hub, request)
    assert (one["status"], one["is_current"]) == ("completed", True)

    # By the other way beside it: neither takes the other's place.
    with hub.database.connect("ddh") as connection:
        connection.execute("SELECT platform.request_statistics(%s, %s)", (relief, Jsonb(GRID)))
    measured(hub, relief)
    hub.submit(*asked, h3=GRID | {"coarsest_resolution": 6}, overwrite=True)
    assert ended(hub, request)["revision"] == 2
    assert [(row[1], row[2]) for row in rows(hub, request)] == [(6, 2), (7, 2)]
    with hub.database.connect("worker") as worker:
        assert worker.execute("SELECT array_agg(revision) FROM h3.zonal_runs WHERE request_id = %s", (request,)).fetchone() == ([2],)

    with hub.database.connect("ddh") as connection:
        connection.execute("SELECT platform.unpublish_request(%s, dry_run => false)", (request,))
    wait_for(lambda: hub.status(request)["status"] == "unpublished", timeout=400)
    with hub.database.connect("worker") as worker:
        assert worker.execute("SELECT count(*) FROM h3.zonal_runs WHERE request_id = %s", (request,)).fetchone() == (0,)
    assert hub.status(request)["endpoints"] is None
    assert hub.search(ids=[item["id"]], collections=[item["collection"]]), "the item of what was measured stays"
    assert [(row[1], row[2]) for row in rows(hub, relief)] == [(7, 1)], "and so does what was measured the other way"


def test_what_was_replaced_while_it_was_measured_is_not_shown(hub: Ddh, bench: Bench) -> None:
    path = source(bench, "nc.gpkg")
    districts, _ = hub.submit("districts", path)
    assert ended(hub, districts)["status"] == "completed"
    with hub.database.connect("admin") as admin:
        admin.execute("SELECT app.pause_task_type('h3_zonal_publish', 'the source is replaced first')")
    request, _ = hub.submit("by_cell", f"request:{districts}", "h3_statistics", h3={"grid_id": "carolina", "resolution": 3})
    wait_for(lambda: (hub.status(request)["job"] or {}).get("stage_name") == "publish", timeout=400)
    hub.submit("districts", path, None, title="Districts", overwrite=True)
    assert ended(hub, districts)["revision"] == 2
    with hub.database.connect("admin") as admin:
        admin.execute("SELECT app.resume_task_type('h3_zonal_publish')")
    document = ended(hub, request)
    assert (document["status"], document["error"]["code"]) == ("failed", "SOURCE_REPLACED")
    assert rows(hub, request) == []

    with hub.database.connect("ddh") as connection:
        connection.execute("SELECT platform.retry_request(%s)", (request,))
    document = ended(hub, request)
    assert (document["status"], document["revision"], document["error"]) == ("completed", 2, None)
    assert [(row[2], row[5]) for row in rows(hub, request)] == [(2, "features")]


def test_what_follows_a_request_is_not_of_two_revisions(hub: Ddh, bench: Bench) -> None:
    """Nor of the next one under the name of the one before, where that was replaced before it began."""
    path, over = source(bench, "nc.gpkg"), {"grid_id": "carolina", "resolution": 3}
    for stage in ("plan", "publish"):
        name = f"h3_zonal_{stage}"
        with hub.database.connect("admin") as admin:
            admin.execute("SELECT app.pause_task_type(%s, 'the source is replaced first')", (name,))
        wards, _ = hub.submit(f"wards_{stage}", path, None, h3=over)
        assert ended(hub, wards)["status"] == "completed"
        wait_for(partial(waits, hub, wards, name), timeout=400)
        hub.submit(f"wards_{stage}", path, None, title="Wards", overwrite=True)
        assert ended(hub, wards)["revision"] == 2
        with hub.database.connect("admin") as admin:
            admin.execute("SELECT app.resume_task_type(%s)", (name,))
        [one] = measured(hub, wards)
        assert (one["revision"], one["status"], one["error"]["code"]) == (1, "failed", "SOURCE_REPLACED")
        assert rows(hub, wards) == []
        with hub.database.connect("ddh") as connection:
            connection.execute("SELECT platform.request_statistics(%s, %s)", (wards, Jsonb(over)))
        assert [(one["revision"], one["status"]) for one in measured(hub, wards)] == [(2, "completed"), (1, "failed")]
        assert [row[2] for row in rows(hub, wards)] == [2]


def waits(hub: Ddh, request: str, task_type: str) -> bool:
    with hub.database.connect() as connection:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM app.tasks AS t JOIN app.stages AS s ON s.stage_id = t.stage_id"
            " JOIN app.jobs AS j ON j.job_id = s.job_id"
            " WHERE j.platform_request_id = %s AND t.task_type = %s AND t.status = 'pending')",
            (request, task_type),
        ).fetchone()
        assert row is not None
        return bool(row[0])


def refused(hub: Ddh, request: str, options: dict[str, Any], state: str, code: str) -> None:
    with pytest.raises(psycopg.Error) as refusal, hub.database.connect("ddh") as connection:
        connection.execute("SELECT platform.request_statistics(%s, %s)", (request, Jsonb(options)))
    assert (refusal.value.sqlstate, code in str(refusal.value.diag.message_detail)) == (state, True)


def test_what_cannot_be_measured_is_refused_in_the_call(hub: Ddh, bench: Bench) -> None:
    path = source(bench, "olinda_dem_utm25s.tif")
    state, problems = hub.refused("wrong", path, None, h3={"grid_id": "nonesuch", "resolution": 7})
    assert (state, [(one["code"], one["field"]) for one in problems]) == ("GM422", [("GRID_NOT_FOUND", "processing_config.h3.grid_id")])
    state, problems = hub.refused("wrong", path, None, h3={"grid_id": "olinda", "weighting": "most"})
    assert {one["field"] for one in problems} == {"processing_config.h3.resolution", "processing_config.h3.weighting"}
    refused(hub, "0" * 32, GRID, "GM404", "NO_SUCH_REQUEST")
