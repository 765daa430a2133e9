"""Zonal statistics equal those of other ways to them: pixel by pixel, polygon by polygon, and PostGIS's for points."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pyproj
import pytest
import rasterio
import shapely

from tests.py.h3.conftest import Bench, outcome, submit
from tests.py.support.samples import sample
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

KEY = "operator/{name}/r1/{name}.tif"
Row = tuple[float, float, float, float, float, float]


def put(storage: Path, name: str, source: Path | None = None) -> str:
    """A raster in the storage, as a request would have published it; its key."""
    key = KEY.format(name=name)
    target = storage / key
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source or sample(f"{name}.tif"), target)
    return key


def degrees(dataset: Any) -> tuple[Any, Any]:
    """Latitude and longitude of each pixel's centre."""
    rows, columns = np.mgrid[0 : dataset.height, 0 : dataset.width]
    x, y = dataset.transform * (columns + 0.5, rows + 0.5)
    longitudes, latitudes = pyproj.Transformer.from_crs(dataset.crs.to_wkt(), 4326, always_xy=True).transform(x, y)
    return latitudes, longitudes


def box(*paths: Path) -> list[float]:
    """A box that holds most of some rasters, and not all."""
    bounds = []
    for path in paths:
        with rasterio.open(path) as dataset:
            latitudes, longitudes = degrees(dataset)
            bounds.append((longitudes.min(), latitudes.min(), longitudes.max(), latitudes.max()))
    west, south, east, north = np.array(bounds).min(axis=0)[:2].tolist() + np.array(bounds).max(axis=0)[2:].tolist()
    return [west + 0.2 * (east - west), south - 0.01, east + 0.01, north + 0.01]


def make_grid(bench: Bench, name: str, resolution: int, bbox: list[float]) -> set[str]:
    cut = {"kind": "bbox", "bbox": bbox}
    assert (
        bench.run("bootstrap_h3_grid", {"grid_id": name, "resolutions": [resolution], "filter": cut, "containment": "overlap"})[0]
        == "completed"
    )
    with bench.database.connect("reader") as reader:
        return {row[0] for row in reader.execute("SELECT h3.to_text(cell) FROM h3.cells WHERE grid_id = %s", (name,))}


def by_pixel(path: Path, band: int, resolution: int, grid: set[str]) -> dict[str, Row]:
    """Each pixel's centre looked up by the library."""
    with rasterio.open(path) as dataset:
        values, known = dataset.read(band).astype("float64"), dataset.read_masks(band) > 0
        latitudes, longitudes = degrees(dataset)
    found: dict[str, list[float]] = {}
    missing: dict[str, int] = {}
    for value, is_known, lat, lng in zip(values.ravel(), known.ravel(), latitudes.ravel(), longitudes.ravel(), strict=True):
        cell = h3.latlng_to_cell(lat, lng, resolution)
        if cell in grid:
            found.setdefault(cell, [])
            if is_known and math.isfinite(value):
                found[cell].append(value)
            else:
                missing[cell] = missing.get(cell, 0) + 1
    return {
        cell: (
            len(some),
            sum(some),
            sum(v * v for v in some),
            min(some, default=math.nan),
            max(some, default=math.nan),
            missing.get(cell, 0),
        )
        for cell, some in found.items()
    }


def stored(database: Database, dataset: str, variable: str, resolution: int, role: Any = "ddh") -> dict[str, Row]:
    with database.connect(role) as connection:
        rows = connection.execute(
            "SELECT h3.to_text(s.cell), s.count, v.sum, v.sum_squares, s.minimum, s.maximum, s.nodata_count FROM h3.statistics AS s"
            " JOIN h3.zonal_statistics AS v ON v.run_id = s.run_id AND v.cell = s.cell AND v.variable = (SELECT n FROM h3.zonal_runs AS r,"
            " jsonb_array_elements(r.variables) WITH ORDINALITY AS e (one, n) WHERE r.run_id = s.run_id AND e.one ->> 'name' = s.variable)"
            " WHERE s.dataset_id = %s AND s.variable = %s AND s.resolution = %s",
            (dataset, variable, resolution),
        )
        return {row[0]: tuple(math.nan if value is None else value for value in row[1:]) for row in rows}  # type: ignore[misc]


def same(ours: dict[str, Row], theirs: dict[str, Row], relative: float = 1e-9) -> None:
    assert ours.keys() == theirs.keys()
    for cell, row in ours.items():
        # Of a cell without a value there are no sums.
        expected = theirs[cell] if theirs[cell][0] else (0.0, *[math.nan] * 4, theirs[cell][5])
        assert row == pytest.approx(expected, rel=relative, nan_ok=True), cell


@pytest.mark.parametrize(
    ("name", "resolution", "variable", "band"),
    [
        ("olinda_dem_utm25s", 6, "b1", 1),
        pytest.param("olinda_dem_utm25s", 8, "b1", 1, marks=pytest.mark.slow),
        pytest.param("L7_ETMs", 7, "b3", 3, marks=pytest.mark.slow),
    ],
)
def test_by_centres_it_is_what_each_pixel_says(name: str, resolution: int, variable: str, band: int, bench: Bench) -> None:
    key, path, grid = put(bench.storage, name), sample(f"{name}.tif"), f"{name.lower()}_{resolution}"
    cells = make_grid(bench, grid, resolution, box(path))
    asked = {"dataset": grid, "endpoints": {"cog": f"https://hub.example.org/files/{key}"},
             "h3": {"grid_id": grid, "resolution": resolution, "coarsest_resolution": resolution - 2}}  # fmt: skip
    status, result, error = bench.run("h3_zonal_statistics", asked)
    assert (status, error) == ("completed", None)
    expected = by_pixel(path, band, resolution, cells)
    assert len(expected) > 3
    ours = stored(bench.database, grid, variable, resolution)
    same(ours, expected)
    assert result["h3"]["cells"] == len(ours)
    for coarser in (resolution - 1, resolution - 2):
        rolled = stored(bench.database, grid, variable, coarser)
        assert set(rolled) == {h3.cell_to_parent(cell, coarser) for cell in ours}
        for parent, row in rolled.items():
            below = [one for cell, one in ours.items() if h3.cell_to_parent(cell, coarser) == parent]
            assert row[0] == sum(one[0] for one in below)
            assert row[1] == pytest.approx(np.nansum([one[1] for one in below]))


def test_by_area_it_is_what_polygons_cover(bench: Bench) -> None:
    path = sample("olinda_dem_utm25s.tif")
    key, cells = put(bench.storage, "olinda_dem_utm25s"), make_grid(bench, "by_area", 7, box(path))
    asked = {"dataset": "area", "endpoints": {"cog": [key]}, "h3": {"grid_id": "by_area", "resolution": 7, "weighting": "area"}}
    assert bench.run("h3_zonal_statistics", asked)[0] == "completed"
    ours = stored(bench.database, "area", "b1", 7)
    with rasterio.open(path) as dataset:
        values, known = dataset.read(1).astype("float64"), dataset.read_masks(1) > 0
        to_raster = pyproj.Transformer.from_crs(4326, dataset.crs.to_wkt(), always_xy=True)
        rows, columns = np.mgrid[0 : dataset.height, 0 : dataset.width]
        x, y = dataset.transform * (columns.ravel(), rows.ravel())
        pixels = shapely.box(x, y + dataset.transform.e, x + dataset.transform.a, y)
    expected = {}
    for cell in cells:
        corners = np.array(h3.cell_to_boundary(cell))
        polygon = shapely.Polygon(np.column_stack(to_raster.transform(corners[:, 1], corners[:, 0])))
        share = shapely.area(shapely.intersection(pixels, polygon)) / abs(dataset.transform.determinant)
        if share.sum() > 0:
            weights, good = share, values.ravel()[known.ravel()]
            counted = weights[known.ravel()]
            touched = good[counted > 0]
            expected[cell] = (counted.sum(), (counted * good).sum(), (counted * good * good).sum(), touched.min(initial=np.inf),
                              touched.max(initial=-np.inf), weights[~known.ravel()].sum())  # fmt: skip
    assert len(expected) > 3
    assert ours.keys() == expected.keys()
    for cell, row in ours.items():
        # Ours follow the arcs; between two corners they leave the line by decimetres.
        assert row[:3] == pytest.approx(expected[cell][:3], rel=1e-4, abs=0.5)
    whole = stored(bench.database, "area", "b1", 7)
    assert sum(row[0] for row in whole.values()) == pytest.approx(sum(row[0] for row in expected.values()), rel=1e-6)


def test_categories_are_counted(bench: Bench) -> None:
    path = sample("lc.tif")
    key, cells = put(bench.storage, "lc"), make_grid(bench, "classes", 6, box(path))
    asked = {
        "dataset": "classes",
        "endpoints": {"cog": key},
        "h3": {"grid_id": "classes", "resolution": 6, "categories": True, "coarsest_resolution": 5},
    }
    assert bench.run("h3_zonal_statistics", asked)[0] == "completed"
    with rasterio.open(path) as dataset:
        values, known = dataset.read(1), dataset.read_masks(1) > 0
        latitudes, longitudes = degrees(dataset)
    expected: dict[tuple[str, float], int] = {}
    for value, lat, lng in zip(values[known], latitudes[known], longitudes[known], strict=True):
        cell = h3.latlng_to_cell(lat, lng, 6)
        if cell in cells:
            expected[cell, float(value)] = expected.get((cell, float(value)), 0) + 1
    with bench.database.connect("ddh") as ddh:
        rows = ddh.execute(
            "SELECT h3.to_text(cell), category, count, share FROM h3.categories WHERE dataset_id = 'classes' AND resolution = 6"
        ).fetchall()
        total = ddh.execute("SELECT sum(count) FROM h3.categories WHERE dataset_id = 'classes' AND resolution = 5").fetchone()
    assert {(row[0], row[1]): row[2] for row in rows} == expected
    assert total == (sum(expected.values()),)
    for cell in {row[0] for row in rows}:
        assert sum(row[3] for row in rows if row[0] == cell) == pytest.approx(1)


def test_of_several_rasters_each_counts_and_a_second_time_is_a_new_version(bench: Bench) -> None:
    path = sample("olinda_dem_utm25s.tif")
    keys = [put(bench.storage, "one", path), put(bench.storage, "two", path)]
    make_grid(bench, "twice", 6, box(path))
    asked = {"dataset": "twice", "endpoints": {"cog": keys[0]}, "h3": {"grid_id": "twice", "resolution": 6}}
    assert bench.run("h3_zonal_statistics", asked)[0] == "completed"
    once = stored(bench.database, "twice", "b1", 6)
    assert bench.run("h3_zonal_statistics", asked | {"endpoints": {"cog": keys}})[0] == "completed"
    both = stored(bench.database, "twice", "b1", 6)
    assert {cell: row[0] for cell, row in both.items()} == {cell: 2 * row[0] for cell, row in once.items()}
    with bench.database.connect("reader") as reader:
        rows = reader.execute(
            "SELECT version, is_current, status FROM h3.zonal_runs WHERE dataset_id = 'twice' ORDER BY version"
        ).fetchall()
    assert rows == [(1, False, "completed"), (2, True, "completed")]


def test_points_are_those_that_postgis_finds_in_each_cell(bench: Bench) -> None:
    with bench.database.connect() as admin:
        admin.execute("CREATE TABLE geo.shops (geom geometry(Point, 4326), sales numeric)")
        admin.execute("ALTER TABLE geo.shops OWNER TO geomill_worker; SELECT setseed(0.5)")
        admin.execute(
            "INSERT INTO geo.shops SELECT ST_Point(-35.2 + 0.6 * random(), -8.3 + 0.6 * random(), 4326),"
            " CASE WHEN n % 10 > 0 THEN round((100 * random())::numeric, 2) END FROM generate_series(1, 5000) AS n"
        )
    asked = {"grid_id": "shops", "resolutions": [5], "with_geometry": True, "filter": {"kind": "bbox", "bbox": [-35.1, -8.4, -34.5, -7.6]}}
    assert bench.run("bootstrap_h3_grid", asked)[0] == "completed"
    asked = {"dataset": "shops", "endpoints": {"table": "geo.shops"}, "h3": {"grid_id": "shops", "resolution": 5, "attributes": ["sales"]}}
    status, _, error = bench.run("h3_zonal_statistics", asked)
    assert (status, error) == ("completed", None)
    with bench.database.connect() as admin:
        rows = admin.execute(
            "SELECT h3.to_text(c.cell), count(*), sum(s.sales)::float8, count(*) FILTER (WHERE s.sales IS NULL), min(s.sales)::float8,"
            " max(s.sales)::float8 FROM h3.cells AS c JOIN geo.shops AS s ON ST_Contains(c.geom, s.geom)"
            " WHERE c.grid_id = 'shops' GROUP BY c.cell"
        ).fetchall()
    assert len(rows) > 5
    features, sales = stored(bench.database, "shops", "features", 5), stored(bench.database, "shops", "sales", 5)
    # PostGIS's edges are straight where the library's are arcs: centimetres, and none of these points is there.
    assert {cell: row[0] for cell, row in features.items()} == {row[0]: row[1] for row in rows}
    for cell, count, total, without, least, most in rows:
        assert sales[cell][0] == count - without
        assert sales[cell][5] == without
        assert (sales[cell][1], sales[cell][3], sales[cell][4]) == pytest.approx((total, least, most))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"h3": {"grid_id": "nonesuch", "resolution": 3}}, "GRID_NOT_FOUND"),
        ({"endpoints": {}}, "NOTHING_TO_MEASURE"),
        ({"endpoints": {"table": ["geo.x", "geo.y"]}}, "SEVERAL_TABLES"),
        ({"endpoints": {"cog": "a/b/r1/nonesuch.tif"}}, "ARTEFACT_GONE"),
        ({"endpoints": {"cog": "a/../r1/x.tif"}}, "NOT_AN_ARTEFACT"),
        ({"endpoints": {"table": "geo.nonesuch"}}, "TABLE_NOT_FOUND"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, Any], code: str, bench: Bench) -> None:
    with bench.database.connect("reader") as reader:
        there = reader.execute("SELECT count(*) FROM h3.grid_metadata WHERE grid_id = 'refusals'").fetchone()
    if there == (0,):
        make_grid(bench, "refusals", 3, [0.0, 0.0, 1.0, 1.0])
    asked = {"dataset": "d", "endpoints": {"table": "geo.x"}, "h3": {"grid_id": "refusals", "resolution": 3}} | changed
    status, _, error = bench.run("h3_zonal_statistics", asked)
    assert (status, error["code"], error["retryable"]) == ("failed", code, False)


def test_killed_in_the_middle_each_cell_is_there_once(bench: Bench) -> None:
    path = sample("L7_ETMs.tif")
    key = put(bench.storage, "killed", path)
    make_grid(bench, "killed", 8, box(path))
    asked = {"endpoints": {"cog": key}, "h3": {"grid_id": "killed", "resolution": 8, "coarsest_resolution": 6}}
    assert bench.run("h3_zonal_statistics", asked | {"dataset": "whole"})[0] == "completed"
    job = submit(bench.database, "h3_zonal_statistics", asked | {"dataset": "killed"})
    waiting = (
        "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()"
        " WHERE NOT l.granted AND l.relation = 'h3.zonal_categories'::regclass"
    )
    with bench.database.connect() as admin:
        with bench.database.connect(autocommit=False) as blocker:
            # A task has written its sums, and waits inside its transaction.
            blocker.execute("LOCK TABLE h3.zonal_categories IN ACCESS EXCLUSIVE MODE")
            wait_for(lambda: admin.execute(waiting).fetchone() != (0,))
            bench.worker.kill()
            blocker.rollback()
        bench.kill()
        assert stored(bench.database, "killed", "b1", 8) == {}
        wait_for(lambda: outcome(bench.database, job)[0] == "completed", timeout=400)
        tried = "SELECT max(t.attempt - t.forgiven) FROM app.tasks AS t WHERE t.task_type = 'h3_zonal_measure'"
        assert admin.execute(tried).fetchone() == (2,)
    for band in ("b1", "b6"):
        for resolution in (6, 7, 8):
            assert stored(bench.database, "killed", band, resolution) == stored(bench.database, "whole", band, resolution)
