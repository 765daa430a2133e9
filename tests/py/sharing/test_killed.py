"""kill -9 of the worker before each statement it sends, while one request comes to share and another to let go: nothing is doubled."""

from __future__ import annotations

import pytest

from tests.py.raster.client import write
from tests.py.raster.conftest import ramp
from tests.py.sharing.conftest import Sharer
from tests.py.vector.killed import work_until


def every_statement(sharer: Sharer) -> int:
    """Kill the worker at each statement until nothing is left to do; how often it was."""
    statement, done = 0, 0
    for kills in range(1000):
        statement += 1
        if work_until(sharer, statement):
            return kills
        assert [kind for kind, _ in sharer.disagreements() if kind in ("file_lost", "item_lost", "table_lost")] == []
        [completed] = sharer.rows("SELECT count(*) AS n FROM app.tasks WHERE status = 'completed'")
        if completed["n"] != done:
            statement, done = 0, completed["n"]
    raise AssertionError("the work never came to its end")


@pytest.mark.slow
def test_a_raster_comes_to_be_shared_and_goes(sharer: Sharer) -> None:
    path = write(sharer.sources / "killed.tif", ramp())
    first = sharer.made("killed 1", path)
    cog = sharer.cog(first)
    second = sharer.ask("killed 2", path)
    assert every_statement(sharer) > 5
    assert sharer.completed(second)["reused_from"] == first
    uses = "SELECT made_by FROM platform.artefact_uses WHERE released_at IS NULL"
    assert sharer.rows(uses) == [{"made_by": first}] * 2
    items = "SELECT count(*) AS n FROM pgstac.items WHERE content #>> '{properties,geomill:request_id}' = %s"
    assert sharer.rows(items, second) == [{"n": 1}]
    sharer.unpublish(first)
    every_statement(sharer)
    assert cog.exists()
    assert sharer.disagreements() == []
    sharer.unpublish(second)
    every_statement(sharer)
    assert not cog.exists()
    assert sharer.rows(uses) == []
    assert sharer.disagreements() == []


@pytest.mark.slow
def test_members_come_to_be_shared_and_go(sharer: Sharer) -> None:
    folder = sharer.sources / "killed members"
    for index in range(2):
        write(folder / f"tile_{index}.tif", ramp() + 50 + index, 500_000 + 2_000 * index)
    first = sharer.made("killed members 1", folder)
    write(folder / "tile_1.tif", ramp() + 60, 502_000)
    second = sharer.ask("killed members 2", folder)
    assert every_statement(sharer) > 10
    assert sharer.completed(second)["reused"] == {"members": 1, "of": 2, "from": [first]}
    assert sharer.files(second) == ["r1/mosaic.json", "r1/tile_1.tif"]
    uses = "SELECT made_by FROM platform.member_uses WHERE released_at IS NULL ORDER BY request_id = %s, item_id"
    assert [row["made_by"] for row in sharer.rows(uses, second)] == [first, first, first, second]
    # Replaced: what the other shows stays.
    sharer.ask("killed members 1", folder, overwrite=True)
    every_statement(sharer)
    assert sharer.files(first) == ["r1/tile_0.tif", "r2/mosaic.json", "r2/tile_0.tif", "r2/tile_1.tif"]
    assert sharer.disagreements() == []
    sharer.unpublish(second)
    every_statement(sharer)
    assert sharer.files(first) == ["r2/mosaic.json", "r2/tile_0.tif", "r2/tile_1.tif"]
    sharer.unpublish(first)
    every_statement(sharer)
    assert sharer.files(first) == sharer.files(second) == []
    assert sharer.rows(uses, second) == []
    assert sharer.disagreements() == []


@pytest.mark.slow
def test_a_table_comes_to_be_shared_and_goes(sharer: Sharer) -> None:
    path = sharer.place("nc.gpkg")
    first = sharer.made("killed table 1", path)
    second = sharer.ask("killed table 2", path)
    every_statement(sharer)
    assert sharer.completed(second)["reused_from"] == first
    rows = "SELECT count(*) AS n FROM geo.shared_killed_table_2_v1"
    whole = sharer.rows(rows)
    sharer.unpublish(first)
    every_statement(sharer)
    assert sharer.rows(rows) == whole
    third = sharer.made("killed table 3", path)
    assert sharer.completed(third)["reused_from"] == second
    more = sharer.ask("killed table 4", path, mode="append", table_name="shared_killed_table_2_v1")
    every_statement(sharer)
    sharer.completed(more)
    assert sharer.rows(rows) == [{"n": 2 * whole[0]["n"]}]
    assert sharer.rows("SELECT count(*) AS n FROM geo.shared_killed_table_3_v1") == whole
    assert sharer.disagreements() == []
