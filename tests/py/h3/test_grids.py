"""Grids by bootstrap_h3_grid: the cells that the library says, whatever they are cut by; made once; as they say they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely
from psycopg import sql

from tests.conftest import StartWorkers
from tests.py.h3.conftest import Bench, outcome, submit
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for
from workers.h3 import cells, grid_filter, natural_earth, overlay

LAND = shapely.union_all(shapely.make_valid(shapely.from_wkb(natural_earth.countries())))
# The library takes an edge of 360 degrees, along the south pole, for none.
REST = [part for part in shapely.get_parts(LAND) if part.bounds[1] > -60]


def by_library(shapes: Sequence[Any], resolution: int, containment: str) -> set[int]:
    found: set[int] = set()
    for polygon in shapes:
        rings = [[(y, x) for x, y in ring.coords] for ring in (polygon.exterior, *polygon.interiors)]
        found |= set(h3.h3shape_to_cells_experimental(h3.LatLngPoly(*rings), resolution, contain=containment).tolist())
    return found


def by_task(shapes: Sequence[Any], resolution: int, containment: Any) -> set[int]:
    """As load makes them, parent by parent."""
    tree, found = shapely.STRtree(shapes), set[int]()
    for parent in h3.get_res0_cells().tolist():
        boxes = cells.surroundings(parent)
        near = [overlay.united(overlay.clipped(tree.geometries[tree.query(box)], box)) for box in boxes]
        within = cells.within(parent, resolution, boxes, [one if one.area > 0 else None for one in near], containment)
        assert len(found & set(within.tolist())) == 0, "each cell below one parent"
        found |= set(within.tolist())
    return found


def stored(database: Database, grid: str, resolution: int, role: Any = "reader") -> set[int]:
    with database.connect(role) as connection:
        table = sql.SQL("h3.grids" if role == "worker" else "h3.cells")
        rows = connection.execute(sql.SQL("SELECT cell FROM {} WHERE grid_id = %s AND resolution = %s").format(table), (grid, resolution))
        return {row[0] for row in rows}


@pytest.mark.parametrize("containment", ["center", pytest.param("overlap", marks=pytest.mark.slow)])
def test_the_land_of_the_world_is_the_librarys(containment: str) -> None:
    for resolution in (1, 2):
        assert by_task(REST, resolution, containment) == by_library(REST, resolution, containment)


@pytest.mark.slow
def test_all_of_a_cell_is_in_the_land_across_the_antimeridian_too() -> None:
    ours, librarys = by_task(REST, 3, "full"), by_library(REST, 3, "full")
    assert librarys < ours
    # The data is cut there, and the library sees two shapes where there is one coast.
    assert all(np.ptp(np.asarray(h3.cell_to_boundary(cell))[:, 1]) > 180 for cell in ours - librarys)


def test_around_the_poles_by_the_points_of_each_cell() -> None:
    cap = [shapely.box(-180, -90, 180, -65)]
    everything = [cell for base in h3.get_res0_cells().tolist() for cell in cells.children(base, 2).tolist()]
    latitudes = {cell: [lat for lat, _ in h3.cell_to_boundary(cell)] for cell in everything}
    assert by_task(cap, 2, "center") == {cell for cell in everything if h3.cell_to_latlng(cell)[0] <= -65}
    assert by_task(cap, 2, "overlap") == {cell for cell in everything if min(latitudes[cell]) <= -65}
    assert by_task(cap, 2, "full") == {cell for cell in everything if max(latitudes[cell]) <= -65}


def test_shapes_of_cells_cover_the_earth_once() -> None:
    shapes = [cells.shape(cell) for base in h3.get_res0_cells().tolist() for cell in cells.children(base, 1).tolist()]
    assert all(shape.is_valid for shape in shapes)
    assert shapely.total_bounds(shapes).tolist() == pytest.approx([-180, -90, 180, 90])
    # Edges are straight here and arcs on the earth; neighbours share them, and so nothing is left out or there twice.
    assert sum(shape.area for shape in shapes) == pytest.approx(360 * 180)


def test_a_hole_within_one_cell_is_seen() -> None:
    cell = h3.latlng_to_cell(10.0, 20.0, 2)
    lng, lat = h3.cell_to_latlng(cell)[::-1]
    lake = shapely.box(lng - 0.01, lat - 0.01, lng + 0.01, lat + 0.01)
    island = shapely.union_all([shapely.box(lng - 20, lat - 20, lng + 20, lat - 5), lake])
    assert cell not in by_task([shapely.box(lng - 20, lat - 20, lng + 20, lat + 20) - lake], 2, "full")
    assert cell not in by_task(shapely.get_parts(island), 2, "full")


FIJI = [shapely.box(178, -19, 180, -16), shapely.box(-180, -19, -179, -16)]
LAKES = shapely.Polygon([(10, 40), (14, 40), (14, 44), (10, 44)], [[(11, 41), (13, 41), (13, 43), (11, 43)]])


@pytest.fixture(scope="module")
def grids(bench: Bench) -> Bench:
    with bench.database.connect() as connection:
        connection.execute("CREATE TABLE geo.lakes (geom geometry(MultiPolygon, 4326)); ALTER TABLE geo.lakes OWNER TO geomill_worker")
        connection.execute("INSERT INTO geo.lakes VALUES (ST_Multi(ST_GeomFromText(%s, 4326)))", (LAKES.wkt,))
    return bench


@pytest.mark.parametrize(
    ("name", "cut", "resolutions", "containment", "expected"),
    [
        ("brazil", {"kind": "countries", "countries": ["BRA", "FRA"]}, [2, 4], "center", natural_earth.countries(["BRA", "FRA"])),
        ("fiji", {"kind": "bbox", "bbox": [178.0, -19.0, -179.0, -16.0]}, [5], "overlap", FIJI),
        ("lakes", {"kind": "table", "table": "lakes"}, [3, 5], "full", [LAKES]),
    ],
)  # fmt: skip
def test_a_grid_holds_the_librarys_cells(
    name: str, cut: dict[str, Any], resolutions: list[int], containment: str, expected: Sequence[Any], grids: Bench
) -> None:
    asked = {"grid_id": name, "resolutions": resolutions, "filter": cut, "containment": containment}
    status, result, error = grids.run("bootstrap_h3_grid", asked)
    assert (status, error) == ("completed", None)
    shapes = [part for one in expected for part in shapely.get_parts(shapely.from_wkb(one) if isinstance(one, bytes) else one)]
    for resolution in resolutions:
        wanted = by_library(shapes, resolution, containment)
        assert stored(grids.database, name, resolution) == wanted
        assert result["resolutions"][str(resolution)]["cells"] == len(wanted)
    with grids.database.connect("admin") as admin:
        rows = admin.execute(
            "SELECT m.checksum = h3.grid_checksum(m.grid_id, m.resolution, m.parent_resolution), m.library, f.definition ->> 'kind'"
            "  FROM h3.grid_metadata AS m JOIN h3.reference_filters AS f USING (filter_name) WHERE m.grid_id = %s",
            (name,),
        ).fetchall()
    assert rows == [(True, cells.library(), cut["kind"])] * len(resolutions)
    assert outcome(grids.database, submit(grids.database, "bootstrap_h3_grid", asked))[0] == "completed", (
        "asked again it is the same job, done"
    )


def test_what_lies_in_a_box_is_not_lost(grids: Bench) -> None:
    """Here GEOS loses the union of Canada and the United States."""
    asked = {"grid_id": "north", "resolutions": [2], "filter": {"kind": "countries", "countries": ["CAN", "USA"]}}
    assert grids.run("bootstrap_h3_grid", asked)[0] == "completed"
    with grids.database.connect("worker") as worker:
        for lat, lng in ((46.084, -102.396), (51.658, -104.948), (45.663, -103.771)):
            [box] = cells.surroundings(h3.latlng_to_cell(lat, lng, 2))
            assert shapely.area(grid_filter.inside(worker, "north", box)) == pytest.approx(box.area)


def test_the_whole_world_with_land_marked_and_shapes(grids: Bench) -> None:
    asked = {"grid_id": "marked", "resolutions": [1], "outside": "mark", "with_geometry": True}
    assert grids.run("bootstrap_h3_grid", asked)[0] == "completed"
    with grids.database.connect("reader") as reader:
        rows = reader.execute(
            "SELECT cell, in_filter, ST_AsBinary(geom), parent_cell = h3.parent(cell, 0) FROM h3.cells WHERE grid_id = 'marked'"
        ).fetchall()
        assert reader.execute("SELECT cell_count, filter_cell_count FROM h3.grid_metadata WHERE grid_id = 'marked'").fetchone() == (
            842,
            sum(row[1] for row in rows),
        )
    assert all(row[3] for row in rows)
    assert {row[0] for row in rows} == {cell for base in h3.get_res0_cells().tolist() for cell in cells.children(base, 1).tolist()}
    for cell, in_filter, geometry, _ in rows:
        lat, lng = h3.cell_to_latlng(cell)
        assert in_filter == shapely.contains_xy(LAND, lng, lat)
        assert shapely.equals(shapely.from_wkb(bytes(geometry)), cells.shape(cell))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"grid_id": "taken"}, "GRID_EXISTS"),
        ({"filter": {"kind": "table", "table": "nonesuch"}}, "FILTER_TABLE_NOT_FOUND"),
        ({"filter": {"kind": "bbox"}}, "FILTER_INCOMPLETE"),
        ({"filter": {"kind": "world", "bbox": [0.0, 0.0, 1.0, 1.0]}}, "FILTER_AMBIGUOUS"),
        ({"filter": {"kind": "bbox", "bbox": [0.0, 5.0, 1.0, 1.0]}}, "BBOX_MALFORMED"),
        ({"filter": {"kind": "countries", "countries": ["BRA", "XXX"]}}, "COUNTRY_UNKNOWN"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, Any], code: str, grids: Bench) -> None:
    if changed == {"grid_id": "taken"}:
        grids.run("bootstrap_h3_grid", {"grid_id": "taken", "resolutions": [0], "filter": {"kind": "world"}})
    status, _, error = grids.run("bootstrap_h3_grid", {"grid_id": "refused", "resolutions": [1]} | changed)
    assert (status, error["code"], error["retryable"]) == ("failed", code, False)
    assert stored(grids.database, "refused", 1, "worker") == set()


def test_killed_in_the_middle_it_is_whole_in_the_end(database: Database, workers: StartWorkers) -> None:
    asked = {"grid_id": "land", "resolutions": [1, 2]}
    job = submit(database, "bootstrap_h3_grid", asked)
    with database.connect() as admin:
        half = "SELECT count(*) FROM app.tasks WHERE task_type = 'h3_grid_load' AND status = %s"
        killed = 0
        for share in (10, 40):
            victim = workers("--processes", "2", "--max-batch", "2")
            wait_for(lambda most=share: admin.execute(half, ("completed",)).fetchone()[0] > most, timeout=400)  # type: ignore[index, misc]
            victim.kill()
            killed += admin.execute(half, ("processing",)).fetchone()[0]  # type: ignore[index]
            admin.execute("UPDATE app.workers SET last_beat = last_beat - interval '5 minutes' WHERE status = 'alive'")
            wait_for(lambda: _taken_back(admin))
        assert killed > 0
        assert stored(database, "land", 2) == set(), "no reader sees half a grid"
        admin.execute("UPDATE app.tasks SET run_at = now() WHERE status = 'pending' AND run_at IS NOT NULL")
        workers("--until-idle").wait(400)
        assert outcome(database, job)[0] == "completed"
    found = stored(database, "land", 2)
    assert {cell for cell in found if h3.cell_to_latlng(cell)[0] > -60} == {
        cell for cell in by_library(REST, 2, "center") if h3.cell_to_latlng(cell)[0] > -60
    }
    with database.connect("worker") as worker:
        assert worker.execute("SELECT count(*) FROM h3.grids").fetchone() == (len(found) + len(stored(database, "land", 1)),)


@pytest.mark.slow
def test_one_that_was_made_outlives_the_engine(database: Database, workers: StartWorkers) -> None:
    asked = {"grid_id": "small", "resolutions": [2], "filter": {"kind": "countries", "countries": ["URY"]}}
    job = submit(database, "bootstrap_h3_grid", asked)
    workers("--until-idle").wait(400)
    before = stored(database, "small", 2)
    with database.connect() as admin:
        admin.execute("DELETE FROM app.jobs WHERE job_id = %s", (job,))
        made = admin.execute("SELECT completed_at FROM h3.grid_metadata WHERE grid_id = 'small'").fetchone()
        assert submit(database, "bootstrap_h3_grid", asked) == job
        workers("--until-idle").wait(400)
        status, result, _ = outcome(database, job)
        assert (status, result["resolutions"]["2"]["cells"]) == ("completed", len(before))
        assert admin.execute("SELECT completed_at FROM h3.grid_metadata WHERE grid_id = 'small'").fetchone() == made
    assert stored(database, "small", 2) == before


def _taken_back(admin: Any) -> bool:
    admin.execute("SELECT app.run_janitor()")
    return bool(admin.execute("SELECT count(*) FROM app.tasks WHERE status = 'processing'").fetchone()[0] == 0)
