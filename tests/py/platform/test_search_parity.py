"""What a client finds is what pgstac's own search finds in the client's collections: the same items, in the same order, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

from .together import value

OWN = ["ddh_one", "ddh_two", "ddh_three"]
FOREIGN = ["other_one", "ddhx_one"]
NAMES = [f"item_{n}" for n in range(6)]
COLLECTION = {
    "type": "Collection", "stac_version": "1.1.0", "description": "Of the tests", "license": "other", "links": [],
    "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
}  # fmt: skip
MOMENTS = [f"2024-0{month}-01T00:00:00Z" for month in range(1, 7)]


def item(collection: str, n: int) -> dict[str, Any]:
    point = [n * 10.0, -5.0 + n]
    return {
        "type": "Feature", "stac_version": "1.1.0", "id": NAMES[n], "collection": collection, "links": [], "assets": {},
        "bbox": point + point, "geometry": {"type": "Point", "coordinates": point},
        "properties": {"datetime": MOMENTS[n], "rank": n % 3, "title": f"Item {n} of {collection}", "cloud": n * 7.5},
    }  # fmt: skip


PROPERTIES = ["rank", "title", "cloud", "datetime", "id", "collection"]
VALUES = st.integers(-1, 4) | st.sampled_from([*NAMES, *OWN, *FOREIGN, *MOMENTS, "Item 2 of ddh_one"])
COMPARISON = st.builds(
    lambda op, name, other: {"op": op, "args": [{"property": name}, other]}, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
    st.sampled_from(PROPERTIES), VALUES,
)  # fmt: skip


def both(op: str, args: list[Any]) -> dict[str, Any]:
    return {"op": op, "args": args}


def ordered_by(field: str, direction: str = "asc") -> dict[str, str]:
    return {"field": field, "direction": direction}


def triangle(x: int) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[[-5, -6], [x, -6], [x, 3], [-5, -6]]]}


FILTER = st.recursive(
    COMPARISON | st.builds(lambda name: {"op": "isNull", "args": [{"property": name}]}, st.sampled_from(PROPERTIES)),
    lambda inner: (
        st.builds(lambda op, args: {"op": op, "args": args}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3))
        | st.builds(lambda one: {"op": "not", "args": [one]}, inner)
    ),
    max_leaves=5,
)
ORDER = st.builds(ordered_by, st.sampled_from(["id", "datetime", "properties.rank"]), st.sampled_from(["asc", "desc"]))
SEARCH = st.fixed_dictionaries(
    {"limit": st.integers(1, 20)},
    optional={
        "collections": st.lists(st.sampled_from(OWN + FOREIGN), min_size=1, max_size=4, unique=True),
        "ids": st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
        "bbox": st.tuples(st.integers(-20, 30), st.integers(-10, 0), st.integers(31, 60), st.integers(0, 10)).map(list),
        "datetime": st.tuples(st.sampled_from([*MOMENTS, ".."]), st.sampled_from([*MOMENTS, ".."])).map("/".join),
        "intersects": st.integers(0, 60).map(triangle),
        "filter": FILTER,
        "sortby": st.lists(ORDER, min_size=1, max_size=2),
        "fields": st.fixed_dictionaries(
            {}, optional={"include": st.just(["id", "collection", "properties.rank"]), "exclude": st.just(["geometry"])}
        ),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Searchers:
    """The client, and somebody whom nothing binds."""

    client: psycopg.Connection[Any]
    anybody: psycopg.Connection[Any]


@pytest.fixture(scope="module")
def searchers(module_database: Database) -> Iterator[Searchers]:
    with module_database.connect() as anybody, module_database.connect("ddh") as client:
        anybody.execute("SET search_path = pgstac, public")
        anybody.execute("SET pgstac.readonly = 'true'")
        for collection in OWN + FOREIGN:
            anybody.execute("SELECT create_collection(%s)", (Jsonb(COLLECTION | {"id": collection}),))
            anybody.execute("SELECT create_items(%s)", (Jsonb([item(collection, n) for n in range(len(NAMES))]),))
        yield Searchers(client, anybody)


def found(connection: psycopg.Connection[Any], statement: Any, search: dict[str, Any]) -> list[Any] | None:
    """The items of every page, in order; None where the search is refused."""
    items: list[Any] = []
    token: dict[str, str] = {}
    while True:
        try:
            page = value(connection, statement, Jsonb(search | token))
        except psycopg.Error:
            return None
        items += page["features"]
        onward = [link["href"] for link in page.get("links", []) if link["rel"] == "next"]
        if not onward or not page["features"]:
            return items
        token = {"token": onward[0].partition("token=")[2]}


@settings(max_examples=60)
@given(SEARCH)
def test_the_same_items_in_the_same_order(searchers: Searchers, search: dict[str, Any]) -> None:
    # Without an order by all that tells items apart, pages of ties are pgstac's to choose, each time anew.
    search = search | {"sortby": [*search.get("sortby", []), ordered_by("collection"), ordered_by("id")]}
    allowed = [collection for collection in search.get("collections", OWN) if collection in OWN]
    answer = found(searchers.client, "SELECT platform.stac_search(%s)", search)
    if not allowed:
        assert answer == []
        return
    own = found(searchers.anybody, "SELECT pgstac.search(%s)", search | {"collections": sorted(allowed)})
    assert answer == own
    assert {one["collection"] for one in answer or []} <= set(OWN)
