"""The same layer with the same options is loaded once; each request's name shows what it showed, whatever becomes of the others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, LiteralString

import geopandas
import numpy as np
import pytest
import shapely
from psycopg import sql

from tests.py.raster.client import path_of
from tests.py.sharing.conftest import Sharer
from tests.py.support.stac_extensions import problems

ROWS = 30


def layer(sharer: Sharer, name: str, seed: int, *, rows: int = ROWS) -> Path:
    """A GeoPackage like no other."""
    number = np.arange(rows)
    frame = geopandas.GeoDataFrame({"number": number + 1000 * seed, "name": [f"n{one}" for one in number]}, crs="EPSG:4326",
                                   geometry=[*shapely.box(number, 0, number + 0.5, 1)])  # fmt: skip
    path = sharer.sources / name
    path.parent.mkdir(exist_ok=True)
    frame.to_file(path, driver="GPKG", engine="pyogrio")
    return path


def numbers(sharer: Sharer, table: str) -> list[int]:
    """What the client reads in a table."""
    rows = sharer.ddh.execute(sql.SQL("SELECT number FROM {} ORDER BY number").format(sql.Identifier("geo", table))).fetchall()
    return [row["number"] for row in rows]


def kinds(sharer: Sharer) -> dict[str, str]:
    """Tables and views of geo."""
    rows = sharer.rows("SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND relkind IN ('r', 'v')")
    return {row["relname"]: row["relkind"] for row in rows}


def names_of(sharer: Sharer, table: str) -> set[str]:
    """What is named after a table: indexes, sequence, trigger."""
    rows = sharer.rows(
        "SELECT i.indexrelid::regclass::text AS name FROM pg_index AS i WHERE i.indrelid = format('geo.%%I', %s::text)::regclass"
        " UNION SELECT pg_get_serial_sequence(format('geo.%%I', %s::text), 'objectid')"
        " UNION SELECT tgname FROM pg_trigger WHERE tgrelid = format('geo.%%I', %s::text)::regclass AND NOT tgisinternal",
        table,
        table,
        table,
    )
    return {row["name"] for row in rows}


def shared_by(sharer: Sharer, name: str, seed: int, number: int = 2, **config: Any) -> tuple[Path, list[str]]:
    """A layer, and requests that show it, the first of which loaded it."""
    path = layer(sharer, f"{name}.gpkg", seed)
    requests = [sharer.made(f"{name} {one}", path, **config) for one in range(1, number + 1)]
    assert [sharer.completed(request)["reused_from"] for request in requests] == [None, *[requests[0]] * (number - 1)]
    return path, requests


def test_what_is_equal_is_not_loaded_again(sharer: Sharer) -> None:
    _, [first, second] = shared_by(sharer, "loaded", 1, indexes=["name"], title="One")
    one, two = sharer.completed(first), sharer.completed(second)
    assert sharer.tasks_of(second) == ["vector_plan", "vector_finish_v2", "vector_catalogue_v2"]
    assert (one["endpoints"]["table"], two["endpoints"]["table"]) == ("geo.shared_loaded_1_v1", "geo.shared_loaded_2_v1")
    assert (kinds(sharer)["shared_loaded_1_v1"], kinds(sharer)["shared_loaded_2_v1"]) == ("r", "v")
    assert numbers(sharer, "shared_loaded_2_v1") == list(range(1000, 1000 + ROWS))
    assert one["counts"] == two["counts"]
    assert first in two["message"]
    item = two["stac_metadata"]
    assert problems(item, "item") == []
    assert (item["id"], item["properties"]["geomill:reused_from"]) == ("shared_loaded 2_v1", first)
    assert item["assets"]["table"]["href"].endswith("=geo.shared_loaded_2_v1")
    assert sharer.disagreements() == []
    with pytest.raises(Exception, match="permission denied"):
        sharer.ddh.execute("DELETE FROM geo.shared_loaded_2_v1")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"keep_z": True}, "an option"),
        ({"arcgis_mode": True}, "it may be edited in place"),
        ({"reprocess": True}, "it was asked for"),
        ({"mode": "replace", "table_name": "shared_differs"}, "it replaces"),
    ],
    ids=["option", "arcgis", "reprocess", "replace"],
)
def test_what_differs_is_loaded(config: dict[str, Any], why: str, sharer: Sharer) -> None:
    path = sharer.sources / "differs.gpkg"
    if not path.exists():
        layer(sharer, path.name, 2)
        sharer.made("differs 1", path)
    request = sharer.made(f"differs {why}", path, **config)
    assert sharer.completed(request)["reused_from"] is None, why


def test_another_file_name_is_loaded_for_it_is_in_the_rows(sharer: Sharer) -> None:
    path = layer(sharer, "renamed.gpkg", 3)
    sharer.made("renamed 1", path)
    other = path.with_name("renamed_2.gpkg")
    shutil.copy(path, other)
    elsewhere = sharer.sources / "elsewhere" / path.name
    elsewhere.parent.mkdir()
    shutil.copy(path, elsewhere)
    assert sharer.completed(sharer.made("renamed 2", other))["reused_from"] is None
    assert sharer.completed(sharer.made("renamed 3", elsewhere))["reused_from"] is not None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {0} SET name = 'x' WHERE number = (SELECT min(number) FROM {0})",
        "DELETE FROM {0} WHERE number = (SELECT max(number) FROM {0})",
        "INSERT INTO {0} (number) SELECT 1 FROM {0} LIMIT 1",
    ],
    ids=["update", "delete", "insert"],
)
def test_what_was_written_to_is_loaded_again(change: LiteralString, sharer: Sharer, request: pytest.FixtureRequest) -> None:
    name = f"written_{request.node.callspec.id}"
    path = layer(sharer, f"{name}.gpkg", 4)
    sharer.made(f"{name} 1", path)
    sharer.superuser.execute(sql.SQL(change).format(sql.Identifier("geo", f"shared_{name}_1_v1")))
    second = sharer.made(f"{name} 2", path)
    assert sharer.completed(second)["reused_from"] is None
    assert len(numbers(sharer, f"shared_{name}_2_v1")) == ROWS


def test_a_table_that_goes_is_left_to_who_shows_it(sharer: Sharer) -> None:
    path, [first, second, third] = shared_by(sharer, "left", 5, 3, indexes=["name"])
    told = names_of(sharer, "shared_left_1_v1")
    said = sharer.unpublish(first, dry_run=True)
    assert (said["table"], [warning["code"] for warning in said["warnings"]]) == ("geo.shared_left_1_v1", ["TABLE_KEPT"])
    assert second in said["warnings"][0]["message"]
    assert third in said["warnings"][0]["message"]
    sharer.unpublish(first)
    sharer.work()
    left = {name: kind for name, kind in kinds(sharer).items() if "left" in name}
    assert left == {"shared_left_2_v1": "r", "shared_left_3_v1": "v"}
    assert names_of(sharer, "shared_left_2_v1") == {name.replace("left_1", "left_2") for name in told}
    for table in left:
        assert numbers(sharer, table) == list(range(5000, 5000 + ROWS))
    assert sharer.disagreements() == []
    # The first comes again, and shares; the heir goes, and the last inherits.
    assert sharer.completed(sharer.made("left 1", path, indexes=["name"]))["reused_from"] in (second, third)
    sharer.unpublish(second)
    sharer.work()
    assert sorted(kind for name, kind in kinds(sharer).items() if "left" in name) == ["r", "v"]
    for request in (first, third):
        sharer.unpublish(request)
    sharer.work()
    assert not [name for name in kinds(sharer) if "left" in name]
    assert sharer.disagreements() == []


@pytest.mark.parametrize("who", ["maker", "sharer"])
def test_an_overwrite_leaves_the_others_as_they_were(who: str, sharer: Sharer) -> None:
    seed = 6 if who == "maker" else 7
    _, [first, second] = shared_by(sharer, who, seed)
    other = layer(sharer, f"{who}_new.gpkg", seed + 50)
    changed, kept = (first, second) if who == "maker" else (second, first)
    number = 1 if changed == first else 2
    assert sharer.made(f"{who} {number}", other, overwrite=True) == changed
    assert numbers(sharer, f"shared_{who}_{number}_v1")[0] == (seed + 50) * 1000
    assert numbers(sharer, f"shared_{who}_{3 - number}_v1") == list(range(seed * 1000, seed * 1000 + ROWS))
    assert {kinds(sharer)[f"shared_{who}_{one}_v1"] for one in (1, 2)} == {"r"}
    assert sharer.completed(kept)["endpoints"]["table"] == f"geo.shared_{who}_{3 - number}_v1"
    assert sharer.disagreements() == []


@pytest.mark.parametrize("into", [1, 2])
def test_who_appends_to_one_changes_no_other(into: int, sharer: Sharer) -> None:
    name, seed = f"appended_{into}", 10 + into
    _, requests = shared_by(sharer, name, seed, 3)
    more = layer(sharer, f"{name}_more.gpkg", seed + 50, rows=2)
    sharer.superuser.execute(sql.SQL("GRANT SELECT ON {} TO geomill_gateway").format(sql.Identifier("geo", f"shared_{name}_2_v1")))
    added = sharer.made(f"{name} more", more, mode="append", table_name=f"shared_{name}_{into}_v1")
    whole = list(range(seed * 1000, seed * 1000 + ROWS))
    for one in (1, 2, 3):
        extra = [(seed + 50) * 1000, (seed + 50) * 1000 + 1] if one == into else []
        assert numbers(sharer, f"shared_{name}_{one}_v1") == whole + extra
    assert kinds(sharer)[f"shared_{name}_{into}_v1"] == "r"
    table = f"shared_{name}_2_v1"
    assert names_of(sharer, table) == {one.replace(f"{name}_1", f"{name}_2") for one in names_of(sharer, f"shared_{name}_1_v1")}
    [granted] = sharer.rows("SELECT has_table_privilege('geomill_gateway', %s, 'SELECT') AS still", f"geo.{table}")
    assert granted["still"]
    assert sharer.disagreements() == []
    for request in (added, *requests):
        sharer.unpublish(request)
        sharer.work()
    assert not [one for one in kinds(sharer) if name in one]


def test_a_download_is_shared_with_its_table(sharer: Sharer) -> None:
    _, [first, second] = shared_by(sharer, "download", 20, download="gpkg")
    one, two = sharer.completed(first), sharer.completed(second)
    file = path_of(one["endpoints"]["data"])
    assert two["endpoints"]["data"] == one["endpoints"]["data"]
    assert problems(two["stac_metadata"], "item") == []
    assert "vector_download" not in sharer.tasks_of(second)
    sharer.unpublish(first)
    sharer.work()
    assert file.exists()
    assert sharer.disagreements() == []
    sharer.unpublish(second)
    sharer.work()
    assert not file.exists()


def test_all_layers_are_shared_together(sharer: Sharer) -> None:
    path = layer(sharer, "layers.gpkg", 21)
    geopandas.read_file(path).to_file(path, layer="second", driver="GPKG", engine="pyogrio")
    first, second = (sharer.made(f"layers {one}", path, layer="*") for one in (1, 2))
    status = sharer.completed(second)
    assert status["reused_from"] == first
    assert status["endpoints"]["table"] == ["geo.shared_layers_2_v1_layers", "geo.shared_layers_2_v1_second"]
    sharer.unpublish(first)
    sharer.work()
    assert numbers(sharer, "shared_layers_2_v1_second") == numbers(sharer, "shared_layers_2_v1_layers") == list(range(21000, 21000 + ROWS))
    assert sharer.disagreements() == []


def test_a_table_whose_view_is_not_published_yet(sharer: Sharer) -> None:
    """The first one goes between the decision to share and the publication; the second is cancelled, or published."""
    for cancelled in (True, False):
        name = f"between_{cancelled}".lower()
        path = layer(sharer, f"{name}.gpkg", 22 + cancelled)
        first = sharer.made(f"{name} 1", path)
        second = sharer.ask(f"{name} 2", path)
        assert sharer.work(1) == 1
        sharer.superuser.execute("SELECT app.pause_task_type('vector_finish_v2', 'the removal goes first')")
        sharer.unpublish(first)
        sharer.work(2)
        sharer.superuser.execute("SELECT app.resume_task_type('vector_finish_v2')")
        assert sharer.status(first)["status"] == "unpublished"
        assert sharer.disagreements(repair=True) == []
        if cancelled:
            sharer.ddh.execute("SELECT platform.cancel_request(%s, 'not wanted')", (second,))
        sharer.work()
        found = [table for table in kinds(sharer) if name in table or table.startswith("_load")]
        assert found == ([] if cancelled else [f"shared_{name}_2_v1"])
        assert sharer.disagreements() == []


@pytest.mark.slow
def test_a_table_that_is_being_written_to_is_loaded_again(sharer: Sharer) -> None:
    path = layer(sharer, "busy.gpkg", 30)
    sharer.made("busy 1", path)
    with sharer.database.connect(autocommit=False) as writer:
        writer.execute("DELETE FROM geo.shared_busy_1_v1")
        second = sharer.made("busy 2", path)
        assert sharer.completed(second)["reused_from"] is None
        writer.rollback()
    assert len(numbers(sharer, "shared_busy_2_v1")) == ROWS
