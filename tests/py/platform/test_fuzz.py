"""Whatever is submitted or searched: a row, or a documented error; never an internal one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

ROOT = "/data/fuzz/"
# NUL and lone surrogates cannot be sent to PostgreSQL at all.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
KEYS = [
    "overwrite",
    "priority",
    "title",
    "keywords",
    "datetime",
    "stac_collection",
    "table_name",
    "layer",
    "chunk_rows",
    "nodata",
    "kind",
    "on_reject",
]
CONFIG = JSON | st.dictionaries(st.sampled_from(KEYS) | TEXT, JSON, max_size=5)
NAMES = TEXT | st.just("roads")
FILES = st.builds((ROOT + "{}.{}").format, TEXT, st.sampled_from(["gpkg", "tif", "zip", "vrt", "json"]))
PATHS = TEXT | FILES | st.lists(TEXT | FILES).map(json.dumps)
TYPES = st.none() | st.sampled_from(["vector", "raster", "collection"]) | TEXT
ELEMENT_KEYS = ["dataset_id", "resource_id", "version_id", "source_path", "processing_config"]
SEARCH_KEYS = [
    "collections",
    "ids",
    "bbox",
    "intersects",
    "datetime",
    "filter",
    "filter-lang",
    "query",
    "q",
    "sortby",
    "fields",
    "limit",
    "token",
]
PROPERTY = st.fixed_dictionaries({"property": st.sampled_from(["collection", "id", "rank", "x'; --", "a') OR (true"]) | TEXT})
OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["=", "<", "and", "not", "like", "in", "s_intersects", "t_after", "isNull"]) | TEXT,
        "args": JSON | st.lists(PROPERTY | JSON, min_size=1, max_size=3),
    }
)
SEARCH = st.fixed_dictionaries(
    {},
    optional={
        "bbox": st.lists(st.integers(-200, 200) | st.floats(allow_nan=False, allow_infinity=False), max_size=6),
        "datetime": st.sampled_from(["2024-01-01T00:00:00Z", "../2024-01-01", "..", "2024-13-45", "infinity"]) | TEXT,
        "filter": OPERATION | st.fixed_dictionaries({"op": st.just("and"), "args": st.lists(OPERATION, max_size=3)}),
        "filter-lang": st.sampled_from(["cql2-json", "cql-json", "cql2-text"]),
        "intersects": st.fixed_dictionaries({"type": st.sampled_from(["Point", "Polygon", "Circle"]), "coordinates": JSON}),
        "sortby": st.lists(st.fixed_dictionaries({"field": TEXT, "direction": TEXT}), max_size=3),
        "fields": st.fixed_dictionaries({"include": JSON, "exclude": JSON}),
        "limit": st.integers(-1, 20000),
    },
)
REFUSALS = {"GM400", "GM401", "GM403", "GM404", "GM409", "GM422"}
COLLECTION = {
    "type": "Collection", "stac_version": "1.1.0", "description": "Of the tests", "license": "other", "links": [],
    "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
}  # fmt: skip
FOREIGN = "an item of another client"
ITEM = {
    "type": "Feature", "stac_version": "1.1.0", "links": [], "assets": {}, "bbox": [0, 0, 1, 1],
    "geometry": {"type": "Point", "coordinates": [0.5, 0.5]}, "properties": {"datetime": "2024-01-01T00:00:00Z"},
}  # fmt: skip
CHECKS = settings(max_examples=100)


@pytest.fixture(scope="module")
def client(module_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with module_database.connect() as admin:
        admin.execute("SELECT platform.allow_source_root('ddh_v1', %s)", (ROOT,))
        admin.execute("SET search_path = pgstac, public")
        for collection, item in (("ddh_fuzz", "one"), ("other_fuzz", FOREIGN)):
            admin.execute("SELECT create_collection(%s)", (Jsonb(COLLECTION | {"id": collection}),))
            admin.execute("SELECT create_item(%s)", (Jsonb(ITEM | {"id": item, "collection": collection}),))
    with module_database.connect("ddh") as connection:
        yield connection


def assert_answers_or_refuses(connection: psycopg.Connection[Any], query: LiteralString, arguments: tuple[Any, ...]) -> None:
    refusal: psycopg.Error | None = None
    try:
        answer = connection.execute(query, arguments).fetchone()
    except psycopg.Error as error:
        refusal = error
    if refusal is None:
        assert answer is not None
        assert FOREIGN not in str(answer)
        return
    assert refusal.sqlstate in REFUSALS, refusal
    detail = json.loads(refusal.diag.message_detail or "null")
    for problem in detail if isinstance(detail, list) else [detail]:
        assert set(problem) == {"code", "category", "field", "value", "message", "remediation", "retryable"}


@CHECKS
@given(st.tuples(NAMES, NAMES, NAMES, PATHS, TYPES, CONFIG.map(Jsonb), st.none() | TEXT, st.none() | TEXT, st.booleans()))
def test_submit_request(client: psycopg.Connection[Any], arguments: tuple[Any, ...]) -> None:
    assert_answers_or_refuses(client, "SELECT * FROM platform.submit_request(%s, %s, %s, %s, %s, %s, %s, %s, %s)", arguments)


@CHECKS
@given(JSON | st.lists(st.dictionaries(st.sampled_from(ELEMENT_KEYS), JSON), max_size=3))
def test_submit_requests(client: psycopg.Connection[Any], requests: Any) -> None:
    assert_answers_or_refuses(client, "SELECT * FROM platform.submit_requests(%s)", (Jsonb(requests),))


@CHECKS
@given(JSON | st.dictionaries(st.sampled_from(SEARCH_KEYS), JSON, max_size=4) | SEARCH)
def test_stac_search(client: psycopg.Connection[Any], search: Any) -> None:
    assert_answers_or_refuses(client, "SELECT platform.stac_search(%s)", (Jsonb(search),))
