"""What a worker sees of its storage, and that platform.health says so."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import StartWorkers
from tests.py.platform.together import value
from tests.py.support.server import Database
from workers.storage import Storage
from workers.storage_probe import look_at


def test_a_storage_that_is_gone_is_not_well(tmp_path: Path) -> None:
    storage = Storage.at(tmp_path / "artefacts")
    well = look_at(storage)
    assert well.is_well
    assert 0 < well.metric["free_bytes"] <= well.metric["total_bytes"]
    assert list(storage.root.iterdir()) == []
    shutil.rmtree(storage.root)
    gone = look_at(storage)
    assert not gone.is_well
    assert "No such file" in gone.metric["error"]


def test_a_worker_tells_how_its_storage_is(database: Database, workers: StartWorkers, storage: Path) -> None:
    with database.connect() as connection:
        connection.execute("SELECT app.submit_job('hello_world', '{\"n\": 1}')")
        assert workers("--processes", "1", "--until-idle").wait() == 0
        seen = value(connection, "SELECT platform.health() #> '{components,storage}'")
    assert seen["status"] == "ok"
    assert list(seen["metric"]) == [storage.resolve().as_uri()]
