"""The catalogue's writers: as a worker, whose role has no right on pgstac, and by many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

Json = dict[str, Any]


def collection(collection_id: str, **changes: Any) -> Json:
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": collection_id,
        "description": "Some",
        "license": "other",
        "links": [],
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        **changes,
    }


def ring(west: float, south: float, east: float, north: float) -> list[Any]:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def item(
    collection_id: str,
    item_id: str,
    box: tuple[float, float, float, float] = (0, 0, 1, 1),
    time: str = "2024-01-01T00:00:00Z",
    request: str = "r",
) -> Json:
    west, south, east, north = box
    if west <= east:
        geometry: Json = {"type": "Polygon", "coordinates": ring(*box)}
    else:
        geometry = {"type": "MultiPolygon", "coordinates": [ring(west, south, 180, north), ring(-180, south, east, north)]}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": item_id,
        "collection": collection_id,
        "geometry": geometry,
        "bbox": list(box),
        "properties": {"datetime": time, "geomill:request_id": request},
        "links": [],
        "assets": {"data": {"href": "x"}},
    }


class Catalogue:
    """The writers, called as a worker; what came of it, read as a superuser."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.worker = database.connect("worker")
        self.superuser = database.connect()

    def ensure(self, document: Json) -> bool:
        return bool(self._one("SELECT app.stac_ensure_collection(%s)", Jsonb(document)))

    def upsert(self, *items: Json) -> int:
        return int(self._one("SELECT app.stac_upsert_items(%s)", Jsonb(list(items))))

    def upsert_collection(self, document: Json) -> None:
        self._one("SELECT app.stac_upsert_collection(%s)", Jsonb(document))

    def delete(self, collection_id: str, *ids: str) -> int:
        return int(self._one("SELECT app.stac_delete_items(%s, %s)", collection_id, list(ids)))

    def retire(self, collection_id: str, request: str, *keep: str) -> int:
        return int(self._one("SELECT app.stac_retire_items(%s, %s, %s)", collection_id, request, list(keep)))

    def _one(self, statement: str, *values: object) -> Any:
        row = self.worker.execute(statement.encode(), values).fetchone()
        assert row is not None
        return row[0]

    def content(self, collection_id: str) -> Json:
        row = self.superuser.execute("SELECT content FROM pgstac.collections WHERE id = %s", (collection_id,)).fetchone()
        assert row is not None
        return dict(row[0])

    def box(self, collection_id: str) -> list[float]:
        return list(self.content(collection_id)["extent"]["spatial"]["bbox"][0])

    def interval(self, collection_id: str) -> list[str]:
        return list(self.content(collection_id)["extent"]["temporal"]["interval"][0])

    def ids(self, collection_id: str) -> list[str]:
        return [row[0] for row in self.superuser.execute("SELECT id FROM pgstac.items WHERE collection = %s ORDER BY id", (collection_id,))]

    def close(self) -> None:
        self.worker.close()
        self.superuser.close()


@pytest.fixture
def catalogue(module_database: Database) -> Iterator[Catalogue]:
    one = Catalogue(module_database)
    yield one
    one.close()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A collection of the test's own."""
    return f"ddh_{request.node.name}"[:60]


def test_a_collection_is_made_once_and_left_alone(catalogue: Catalogue, name: str) -> None:
    assert catalogue.ensure(collection(name, title="First"))
    assert not catalogue.ensure(collection(name, title="Second"))
    assert catalogue.content(name)["title"] == "First"


def test_items_are_put_in_and_replaced(catalogue: Catalogue, name: str) -> None:
    catalogue.ensure(collection(name))
    assert catalogue.upsert(item(name, "a"), item(name, "b")) == 2
    assert catalogue.upsert(item(name, "b", (5, 5, 6, 7)), item(name, "c")) == 2
    assert catalogue.ids(name) == ["a", "b", "c"]


def test_the_first_items_replace_the_placeholder_extent(catalogue: Catalogue, name: str) -> None:
    catalogue.ensure(collection(name))
    catalogue.upsert(item(name, "a", (5, 45, 7, 46)))
    assert (catalogue.box(name), catalogue.interval(name)) == ([5, 45, 7, 46], ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"])


def test_the_extent_grows_and_shrinks_with_its_items(catalogue: Catalogue, name: str) -> None:
    catalogue.ensure(collection(name))
    catalogue.upsert(item(name, "a", (0, 0, 1, 1)))
    catalogue.upsert(item(name, "b", (5, 5, 6, 7), "2025-06-01T00:00:00Z"))
    assert (catalogue.box(name), catalogue.interval(name)[1]) == ([0, 0, 6, 7], "2025-06-01T00:00:00Z")
    catalogue.upsert(item(name, "b", (2, 2, 3, 3), "2024-06-01T00:00:00Z"))
    assert (catalogue.box(name), catalogue.interval(name)[1]) == ([0, 0, 3, 3], "2024-06-01T00:00:00Z")
    assert catalogue.delete(name, "a", "unknown") == 1
    assert catalogue.box(name) == [2, 2, 3, 3]
    assert catalogue.delete(name, "b") == 1
    assert catalogue.box(name) == [2, 2, 3, 3], "an empty collection keeps its last extent"
    assert catalogue.delete(name, "b") == 0


def test_the_extent_across_the_antimeridian(catalogue: Catalogue, name: str) -> None:
    catalogue.ensure(collection(name))
    catalogue.upsert(item(name, "fiji", (176, -20, -178, -12)))
    assert catalogue.box(name) == [176, -20, -178, -12]
    catalogue.upsert(item(name, "west", (160, 0, 165, 5)))
    assert catalogue.box(name) == [160, -20, -178, 5]
    catalogue.upsert(item(name, "east", (-170, 0, -165, 5)))
    assert catalogue.box(name) == [160, -20, -165, 5]
    catalogue.upsert(item(name, "greenwich", (-5, 0, 5, 5)))
    assert catalogue.box(name) == [-180, -20, 180, 5]


def test_replacing_a_collection_keeps_its_items_and_their_extent(catalogue: Catalogue, name: str) -> None:
    catalogue.upsert_collection(collection(name, title="First"))
    catalogue.upsert(item(name, "a", (5, 45, 7, 46)))
    catalogue.upsert_collection(collection(name, title="Second"))
    assert (catalogue.content(name)["title"], catalogue.ids(name), catalogue.box(name)) == ("Second", ["a"], [5, 45, 7, 46])


def test_a_request_retires_its_own_items_only(catalogue: Catalogue, name: str) -> None:
    catalogue.ensure(collection(name))
    catalogue.upsert(item(name, "old", request="mine"), item(name, "kept", request="mine"), item(name, "other", request="yours"))
    assert catalogue.retire(name, "mine", "kept") == 1
    assert catalogue.ids(name) == ["kept", "other"]
    assert catalogue.retire(name, "mine", "kept") == 0


@pytest.mark.parametrize(
    ("items", "state"),
    [
        ([item("ddh_unknown", "a")], "GM404"),
        ({"type": "FeatureCollection"}, "GM422"),
        ([item("ddh_unknown", "a"), item("ddh_unknown", "a")], "GM422"),
        ([{"id": "a"}], "GM422"),
        ([7], "GM422"),
    ],
)
def test_what_cannot_be_put_in_is_refused(items: Any, state: str, catalogue: Catalogue) -> None:
    with pytest.raises(psycopg.Error) as caught:
        catalogue.worker.execute("SELECT app.stac_upsert_items(%s)", (Jsonb(items),))
    assert caught.value.sqlstate == state


def test_all_items_or_none(catalogue: Catalogue, name: str) -> None:
    catalogue.ensure(collection(name))
    with pytest.raises(psycopg.Error):
        catalogue.upsert(item(name, "good"), {**item(name, "bad"), "geometry": None})
    assert catalogue.ids(name) == []


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM pgstac.collections", "SELECT pgstac.create_items('[]')", "SELECT app.stac_refresh_extent('x')"]
)
def test_a_worker_reaches_the_catalogue_no_other_way(statement: str, catalogue: Catalogue) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        catalogue.worker.execute(statement.encode())


def test_clients_cannot_write(module_database: Database) -> None:
    with module_database.connect("ddh") as client, pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("SELECT app.stac_upsert_items('[]')")


def together(number: int, work: Callable[[int], None]) -> list[BaseException]:
    """Run the work in so many threads, started at one moment; what they raised."""
    barrier, raised = threading.Barrier(number), list[BaseException]()

    def run(index: int) -> None:
        try:
            barrier.wait()
            work(index)
        except BaseException as error:  # noqa: BLE001 (a thread's error would be lost)
            raised.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.parametrize(("rounds", "batch"), [(3, 6), pytest.param(10, 20, marks=pytest.mark.slow, id="200 items each")])
def test_sixteen_writers_over_new_collections_lose_nothing(rounds: int, batch: int, catalogue: Catalogue, name: str) -> None:
    writers, collections = 16, 5
    name = f"{name[:40]}_{batch}"

    def write(writer: int) -> None:
        with catalogue.database.connect("worker") as connection:
            for turn in range(rounds):
                target = f"{name}_{(writer + turn) % collections}"
                mine = [
                    item(
                        target,
                        f"{writer}-{turn}-{one}",
                        (writer, turn, writer + 1, turn + 1),
                        f"20{10 + writer}-{turn + 1:02}-{one + 1:02}T00:00:00Z",
                    )
                    for one in range(batch)
                ]
                with connection.transaction():
                    connection.execute("SELECT app.stac_ensure_collection(%s)", (Jsonb(collection(target)),))
                    connection.execute("SELECT app.stac_upsert_items(%s)", (Jsonb(mine),))

    assert together(writers, write) == []
    found = [len(catalogue.ids(f"{name}_{one}")) for one in range(collections)]
    assert sum(found) == writers * rounds * batch
    for one in range(collections):
        box = catalogue.superuser.execute(
            "SELECT min(ST_XMin(geometry)), min(ST_YMin(geometry)), max(ST_XMax(geometry)), max(ST_YMax(geometry))"
            " FROM pgstac.items WHERE collection = %s",
            (f"{name}_{one}",),
        ).fetchone()
        assert box is not None
        assert catalogue.box(f"{name}_{one}") == list(box)


def test_writers_of_the_same_items_agree(catalogue: Catalogue, name: str) -> None:
    catalogue.ensure(collection(name))

    def write(writer: int) -> None:
        with catalogue.database.connect("worker") as connection:
            mine = [item(name, f"same-{one}", (writer, 0, writer + 1, 1)) for one in (range(8) if writer % 2 else reversed(range(8)))]
            connection.execute("SELECT app.stac_upsert_items(%s)", (Jsonb(mine),))

    assert together(8, write) == []
    assert len(catalogue.ids(name)) == 8
    assert catalogue.box(name)[2] - catalogue.box(name)[0] == 1, "the last writer's, as a whole"
