"""kill -9 of a worker in the middle of a vector load: nothing is lost, nothing is there twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely

from tests.conftest import StartWorkers
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

FEATURES = 20_000
CHUNK = 1_000

LOADING = (
    "SELECT h.pid FROM app.open_holds() AS h"
    " WHERE EXISTS (SELECT FROM app.tasks AS t WHERE t.task_type = 'vector_chunk' AND t.status = 'completed')"
)


def _grid(path: Path) -> None:
    """A GeoPackage of as many distinct squares as FEATURES says, each with a number of its own."""
    number = np.arange(FEATURES)
    x, y = (number % 200) * 0.5 - 50, (number // 200) * 0.5 - 25
    squares = shapely.box(x, y, x + 0.4, y + 0.4)
    geopandas.GeoDataFrame({"number": number}, geometry=squares, crs="EPSG:4326").to_file(path, driver="GPKG")


def _status(database: Database, request: str) -> dict[str, Any]:
    with database.connect("ddh") as ddh:
        row = ddh.execute("SELECT platform.get_request_status(%s)", (request,)).fetchone()
        assert row is not None
        document: dict[str, Any] = row[0]
        return document


def test_each_feature_exactly_once(database: Database, source_root: Path, workers: StartWorkers) -> None:
    _grid(source_root / "grid.gpkg")
    with database.connect("ddh") as ddh:
        row = ddh.execute(
            "SELECT request_id FROM platform.submit_request("
            "'kill', 'grid', 'v1', %s, processing_config => jsonb_build_object('chunk_rows', %s::integer))",
            (str(source_root / "grid.gpkg"), CHUNK),
        ).fetchone()
        assert row is not None
        request = row[0]

    killed = 0
    with database.connect() as admin:
        # Twice, for a load has three attempts.
        while killed < 2:
            victim = workers()
            # Some chunks are in, and the worker is inside the transaction of another.
            wait_for(lambda: admin.execute(LOADING).fetchone() or _status(database, request)["status"] == "completed", interval=0.01)
            assert _status(database, request)["status"] == "processing", "it ended before a worker could be killed twice"
            victim.kill()
            # It may just have ended that transaction, and not claimed again: then once more.
            load = "SELECT FROM app.tasks WHERE task_type = 'vector_chunk' AND status = 'processing' LIMIT 1"
            killed += len(admin.execute(load).fetchall())
            # What the janitor would wait a minute for: the dead worker's silence.
            admin.execute("UPDATE app.workers SET last_beat = last_beat - interval '5 minutes' WHERE status = 'alive'")
            wait_for(lambda: _janitor_has_taken_all_back(admin))

        admin.execute("UPDATE app.tasks SET run_at = now() WHERE status = 'pending' AND run_at IS NOT NULL")
        workers()
        wait_for(lambda: _status(database, request)["status"] not in ("pending", "processing"), timeout=300)
        document = _status(database, request)
        assert document["status"] == "completed", document["error"]
        with database.connect("ddh") as ddh:
            assert ddh.execute("SELECT count(*), count(DISTINCT number), min(number), max(number) FROM geo.kill_grid_v1").fetchone() == (
                FEATURES,
                FEATURES,
                0,
                FEATURES - 1,
            )
        left = admin.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND starts_with(relname, '_load_')"
        ).fetchone()
        assert left == (0,), "no staging table stays behind"


def _janitor_has_taken_all_back(admin: Any) -> bool:
    admin.execute("SELECT app.run_janitor()")
    left = admin.execute("SELECT count(*) FROM app.tasks WHERE status = 'processing'").fetchone()
    return bool(left[0] == 0)
