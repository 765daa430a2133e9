"""One comes to share while another lets go: whoever is second sees what the first has done."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.conftest import CLIENT
from tests.py.raster.client import path_of, write
from tests.py.raster.conftest import ramp
from tests.py.sharing.conftest import Sharer
from tests.py.support.server import Role
from tests.py.support.waiting import wait_for
from workers import raster_report, raster_source

USE = "SELECT platform.use_artefacts(%s, %s, %s, %s, %s)"
USE_MEMBER = "SELECT platform.use_member(%s, %s, %s, %s, %s, %s, %s)"
RELEASE = "SELECT made_by, made_in, gone, kept FROM platform.release_artefacts_v2(%s, 1, 1)"
CLIENTS: list[Role] = ["ddh", "reader"]


@contextmanager
def deciding(sharer: Sharer, name: str, seed: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """A request that was made, and another whose first task is about to share; it ends undecided."""
    path = write(sharer.sources / f"{name}.tif", ramp() + seed)
    first = sharer.made(f"{name} 1", path)
    second = sharer.ask(f"{name} 2", path)
    [task] = sharer.rows("SELECT task_id, attempt FROM app.claim_tasks('racer', ARRAY['raster_validate_v2'], 1)")
    with raster_source.opened(path, path.name) as raster:
        fingerprint, _ = raster_report.fingerprint(raster, lambda: None)
    yield first, (task["task_id"], task["attempt"], fingerprint, raster_report.software(), first)
    sharer.ddh.execute("SELECT platform.cancel_request(%s, 'undecided')", (second,))
    sharer.unpublish(first)
    sharer.work()


@contextmanager
def deciding_member(sharer: Sharer, name: str, seed: int) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """As `deciding`, of collections of one member: the request that was made, its COG's key, and what the other's task is about to call."""
    path = write(sharer.sources / name / "tile.tif", ramp() + seed)
    first = sharer.made(f"{name} 1", path.parent)
    second = sharer.ask(f"{name} 2", path.parent)
    assert sharer.work(1) == 1, "it is inspected"
    [task] = sharer.rows("SELECT task_id, attempt FROM app.claim_tasks('racer', ARRAY['collection_convert_v3'], 1)")
    [made] = sharer.rows("SELECT key, report FROM platform.member_uses WHERE request_id = %s", first)
    recipe = (made["report"]["fingerprint"], made["report"]["software"])
    yield first, made["key"], (task["task_id"], task["attempt"], "item", made["key"], *recipe, first)
    sharer.ddh.execute("SELECT platform.cancel_request(%s, 'undecided')", (second,))
    sharer.unpublish(first)
    sharer.work()
    assert sharer.files(first) == []


def waits(sharer: Sharer) -> bool:
    statement = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory' AND query LIKE 'SELECT %platform.%'"
    )
    return bool(sharer.superuser.execute(statement).fetchall())


def ask(sharer: Sharer, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with sharer.database.connect("worker") as connection:
        return connection.execute(statement.encode(), values).fetchall()


@contextmanager
def second_of(
    sharer: Sharer, statement: str, values: tuple[Any, ...], then: str, then_values: tuple[Any, ...]
) -> Iterator[list[tuple[Any, ...]]]:
    """What the second call says, made while the transaction of the first is open."""
    said: list[tuple[Any, ...]] = []
    with ThreadPoolExecutor(1) as threads, sharer.database.connect("worker", autocommit=False) as connection:
        connection.execute(statement.encode(), values)
        second = threads.submit(ask, sharer, then, *then_values)
        wait_for(lambda: waits(sharer), message="the second did not wait")
        connection.commit()
        said += second.result(timeout=120)
    yield said


def test_what_one_came_to_share_is_not_let_go(sharer: Sharer) -> None:
    with deciding(sharer, "came", 1) as (first, use), second_of(sharer, USE, use, RELEASE, (first,)) as said:
        assert said == []


def test_what_was_let_go_cannot_be_shared(sharer: Sharer) -> None:
    with deciding(sharer, "went", 2) as (first, use), second_of(sharer, RELEASE, (first,), USE, use) as said:
        assert said == [(False,)]


def test_of_two_that_let_go_the_second_is_the_last(sharer: Sharer) -> None:
    path = write(sharer.sources / "both.tif", ramp() + 3)
    first, second = sharer.made("both 1", path), sharer.made("both 2", path)
    with second_of(sharer, RELEASE, (first,), RELEASE, (second,)) as said:
        assert sorted(said) == sorted([(first, 1, None, []), (second, 1, None, [])])
    assert ask(sharer, RELEASE, first) == [(first, 1, None, [])], "and whoever asks again hears it again"
    for request in (first, second):
        sharer.unpublish(request)
    sharer.work()


def test_a_member_that_one_came_to_share_is_not_let_go(sharer: Sharer) -> None:
    with deciding_member(sharer, "member came", 5) as (first, key, use), second_of(sharer, USE_MEMBER, use, RELEASE, (first,)) as said:
        assert said == [(first, 1, None, [key])]


def test_a_member_that_was_let_go_cannot_be_shared(sharer: Sharer) -> None:
    with deciding_member(sharer, "member went", 6) as (first, _, use), second_of(sharer, RELEASE, (first,), USE_MEMBER, use) as said:
        assert said == [(False,)]
        assert ask(sharer, RELEASE, first) == [(first, 1, None, [])]


def test_of_two_that_let_go_of_a_member_the_second_is_the_last(sharer: Sharer) -> None:
    path = write(sharer.sources / "members both" / "tile.tif", ramp() + 7)
    first, second = sharer.made("members both 1", path.parent), sharer.made("members both 2", path.parent)
    key = f"{CLIENT}/{first}/r1/tile.tif"
    with second_of(sharer, RELEASE, (first,), RELEASE, (second,)) as said:
        assert said == [(second, 1, None, []), (first, 1, [key], [])]
    assert ask(sharer, RELEASE, second) == said, "and whoever asks again hears it again"
    for request in (first, second):
        sharer.unpublish(request)
    sharer.work()
    assert sharer.disagreements() == []


def test_workers_that_share_and_let_go_of_members_at_once(sharer: Sharer) -> None:
    for index in range(2):
        write(sharer.sources / "busy members" / f"tile_{index}.tif", ramp() + 10 + index, 500_000 + 2_000 * index)
    folder = sharer.sources / "busy members"
    standing = sharer.made("busy members 0", folder)
    for turn in range(1, 3):
        coming = [sharer.ask(f"busy members {turn} {number}", folder) for number in range(2)]
        sharer.unpublish(standing)
        _both(sharer)
        for request in coming:
            assert all(path_of(href).exists() for href in sharer.completed(request)["endpoints"]["cog"])
        assert sharer.disagreements() == []
        sharer.unpublish(coming[1])
        standing = coming[0]
    sharer.unpublish(standing)
    _both(sharer)
    assert sharer.disagreements() == []
    assert sharer.rows("SELECT FROM platform.member_uses WHERE released_at IS NULL") == []


def test_workers_that_share_and_let_go_at_once(sharer: Sharer) -> None:
    """Two workers do whatever there is: a file is there as long as anybody shows it, and no longer."""
    path = write(sharer.sources / "busy.tif", ramp() + 4)
    standing = sharer.made("busy 0", path)
    for turn in range(1, 4):
        coming = [sharer.ask(f"busy {turn} {number}", path) for number in range(3)]
        sharer.unpublish(standing)
        _both(sharer)
        assert all(sharer.cog(request).exists() for request in coming)
        assert sharer.disagreements() == []
        for request in coming[1:]:
            sharer.unpublish(request)
        standing = coming[0]
    sharer.unpublish(standing)
    _both(sharer)
    assert sharer.disagreements() == []
    assert sharer.rows("SELECT FROM platform.artefact_uses WHERE released_at IS NULL") == []


@contextmanager
def _another(sharer: Sharer) -> Iterator[Sharer]:
    with sharer.database.connect("ddh", row_factory=dict_row) as ddh, sharer.database.connect(row_factory=dict_row) as superuser:
        yield replace(sharer, ddh=ddh, superuser=superuser, worker_id="another")


@pytest.mark.parametrize("role", CLIENTS)
def test_who_is_no_worker_notes_nothing(role: Role, sharer: Sharer) -> None:
    with sharer.database.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(RELEASE.encode(), ("0" * 32,))


def test_tables_that_are_shared_and_let_go_at_once(sharer: Sharer) -> None:
    path = sharer.place("nc.gpkg")
    standing = sharer.made("rows 0", path)
    whole = sharer.rows("SELECT count(*) AS n FROM geo.shared_rows_0_v1")
    for turn in range(1, 4):
        coming = [sharer.ask(f"rows {turn} {number}", path) for number in range(3)]
        sharer.unpublish(standing)
        _both(sharer)
        for number, request in enumerate(coming):
            sharer.completed(request)
            table = sql.Identifier("geo", f"shared_rows_{turn}_{number}_v1")
            assert sharer.rows(sql.SQL("SELECT count(*) AS n FROM {}").format(table)) == whole
        assert sharer.disagreements() == []
        for request in coming[1:]:
            sharer.unpublish(request)
        standing = coming[0]
    sharer.unpublish(standing)
    _both(sharer)
    assert sharer.disagreements() == []
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND starts_with(relname, 'shared_rows')"
    assert sharer.rows(left) == []


def _both(sharer: Sharer) -> None:
    """Two workers do whatever there is."""
    with _another(sharer) as other, ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(sharer.work), threads.submit(other.work)]:
            done.result(timeout=600)
