"""The benchmark drives what it says it drives: so many turns are so many claimed and completed tasks, on either side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import huge, rasters
from bench.engine import Case, empty_engine, engine_run, fill_engine, fill_floor, floor_run, measure_fan_out, prepare
from bench.growth import measure_backlog, measure_views
from bench.layers import layer
from bench.requests import CALLS, CLIENTS, ROLE, fill, hub
from bench.requests import measure as measure_requests
from bench.searches import SIDES, SORTS
from bench.searches import measure as measure_searches
from bench.vectors import measure as measure_vectors
from tests.py.support.server import Database

CASE = Case(50, 2, 100, 0.75)


def test_turns_are_tasks(engine_database: Any) -> None:
    dsn = engine_database.dsn("superuser")
    with engine_database.connect("superuser") as connection:
        prepare(connection)
        fill_engine(connection, CASE.stage_size, 1_000)
        run = engine_run(connection, dsn, CASE, transactions=4)
        assert run.rate > 0
        assert run.wal > 0
        # Two workers, four turns each: the last claim of each is not reported any more.
        counts = "SELECT count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'processing') FROM app.tasks"
        assert connection.execute(counts).fetchone() == (300, 100)
        fill_floor(connection, 1_000)
        assert floor_run(connection, dsn, CASE, transactions=4).rate > 0
        assert connection.execute("SELECT count(*) FROM bench_floor.task WHERE state = 2").fetchone() == (400,)


def test_fan_out_is_one_advance(engine_database: Any) -> None:
    with engine_database.connect("superuser") as connection:
        prepare(connection)
        bare, engine = measure_fan_out(connection, runs=1, tasks=500)
        assert len(bare) == len(engine) == 1
        assert connection.execute("SELECT count(*), max(stage_id) - min(stage_id) FROM app.tasks").fetchone() == (501, 1)


def test_cycles_and_views_run(engine_database: Any) -> None:
    with engine_database.connect("superuser") as connection:
        prepare(connection)
        assert len(measure_backlog({100: connection}, runs=2, cycles=5)[100]) == 2
        assert connection.execute("SELECT count(*) FROM app.tasks WHERE status = 'completed'").fetchone() == (10,)
        assert all(by_size[100] >= 0 for by_size in measure_views({100: connection}, runs=1).values())
        empty_engine(connection)
        assert connection.execute("SELECT count(*) FROM app.tasks").fetchone() == (0,)


def test_a_mixed_load_is_measured_by_call(database: Database) -> None:
    with database.connect() as connection, hub(connection):
        fill(connection, 50)
        made = measure_requests(database.connect, old=50, seconds=0.2)
        assert all(made.calls[kind] for kind in CALLS)
        assert all(0 < made.p50(kind) <= made.p95(kind) for kind in CALLS)
        counts = "SELECT function_name, count(*) FROM app.api_requests WHERE client_id = 'bench_hub' GROUP BY 1"
        called = dict(connection.execute(counts).fetchall())
        # Each of the four callers begins with a submit that is not measured; and the books have a call a request.
        assert called["submit_request"] == len(made.calls["submit"]) + CLIENTS
        assert called["get_request_status"] == len(made.calls["poll"]) + 50
        found = connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone()
        assert found == (1,)


def test_searches_are_measured_by_sort_and_side(database: Database) -> None:
    with database.connect() as connection, hub(connection):
        made = measure_searches(connection, 2)
        assert {(sort, side) for sort in SORTS for side in SIDES} == {cell for cell, median in made.items() if median > 0}
        searched = "SELECT count(*) FROM app.api_requests WHERE client_id = 'bench_hub' AND function_name = 'stac_search'"
        assert connection.execute(searched).fetchone() == (2 * len(SORTS),)


def test_a_file_is_measured_and_nothing_of_it_stays(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path))
    path = layer(500)
    with database.connect() as connection:
        figure = measure_vectors(connection, database.dsn(), path, runs=1, numbers=(1,))
        assert len(figure.workers[1]) == 1
        assert figure.memory > 0
        read = connection.execute("SELECT result_data #> '{vector,read}' FROM app.jobs WHERE job_type = 'ingest_vector'").fetchall()
        assert read == [(500,)]
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'geo'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'geomill_bench_client'").fetchone() == (0,)


@pytest.mark.slow
def test_rasters_are_measured_and_nothing_of_them_stays(database: Database, tmp_path: Path) -> None:
    found = rasters.measure("palette", 700, tmp_path)
    assert set(found) == set(rasters.STEPS)
    assert all(step.seconds > 0 and step.megabytes > 0 for step in found.values())
    assert {step for step in found if found[step].size} == {"driver", "rio-cogeo", "convert"}
    with database.connect() as connection:
        figure = rasters.measure_collection(connection, database.dsn(), items=3, side=64)
        assert (figure.items, figure.geomill > 0, figure.bare > 0) == (3, True, True)
        assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'geomill_bench_client'").fetchone() == (0,)


@pytest.mark.slow
def test_a_huge_raster_is_measured_and_nothing_of_it_stays(database: Database) -> None:
    with database.connect() as connection:
        figure = huge.measure(connection, database.dsn(), 1500)
        assert figure.source > 1500 * 1500 * 4
        assert set(figure.by_task) >= {"raster_validate_v2", "raster_convert_v2"}
        assert min(figure.cog, figure.seconds, figure.megabytes, figure.read, figure.driver_seconds, figure.driver_megabytes) > 0
        assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'geomill_bench_client'").fetchone() == (0,)
