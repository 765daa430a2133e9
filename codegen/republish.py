"""The catalogue made again from what platform keeps of it: one transaction a collection, each repeatable.

Workers may publish meanwhile: what is in the catalogue already is left as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from codegen.deploy import Report
from codegen.settings import settings

_PASSING = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)


@dataclass(frozen=True)
class Missing:
    """An item that should be in the catalogue and is not."""

    request_id: str | None
    collection: str
    item_id: str | None
    reason: str

    def __str__(self) -> str:
        what = f"item {self.item_id} of collection {self.collection}" if self.item_id else f"collection {self.collection}"
        return f"not published again: {what}" + (f", request {self.request_id}" if self.request_id else "") + f": {self.reason}"


def republish(connection: psycopg.Connection[Any], report: Report) -> list[Missing]:
    """Publish what is kept and not there; what could not be."""
    (shown,) = connection.execute("SELECT platform.keep_shown_items()").fetchall()[0]
    if shown:
        report(f"taken from the requests that show them, for they were not kept: {shown} items")
    rows = connection.execute(
        "SELECT collection FROM platform.published_collections UNION SELECT collection FROM platform.published_items ORDER BY 1"
    ).fetchall()
    missing = [one for (collection,) in rows for one in _republish(connection, collection)]
    (items,) = connection.execute("SELECT count(*) FROM pgstac.items").fetchall()[0]
    report(f"published again: {len(rows)} collections; the catalogue has {items} items")
    return missing + _never_kept(connection)


def _republish(connection: psycopg.Connection[Any], collection: str) -> list[Missing]:
    for attempt in range(1, settings().deploy_attempts + 1):
        try:
            with connection.transaction():
                rows = connection.execute("SELECT request_id, item_id, reason FROM app.stac_republish(%s)", [collection]).fetchall()
            return [Missing(request_id, collection, item_id, reason) for request_id, item_id, reason in rows]
        except _PASSING:
            if attempt == settings().deploy_attempts:
                raise
            time.sleep(min(0.1 * attempt, 1.0))
    raise AssertionError("unreachable")


def _never_kept(connection: psycopg.Connection[Any]) -> list[Missing]:
    """Requests that show a STAC endpoint of which neither platform nor the catalogue had anything left."""
    rows = connection.execute(
        """
        SELECT r.request_id, r.stac_collection, CASE WHEN r.request_type <> 'collection' THEN r.stac_item_id END
          FROM platform.requests AS r
         WHERE r.published_revision > coalesce(r.unpublish_revision, 0)
           AND coalesce(r.endpoints -> 'stac_item', r.endpoints -> 'stac_collection') IS NOT NULL
           AND NOT EXISTS (SELECT FROM platform.published_items AS p WHERE p.request_id = r.request_id)
         ORDER BY r.request_id
        """
    )
    reason = "neither pgstac nor platform had it any more; submit the request again with processing_config.overwrite"
    return [Missing(request_id, collection, item_id, reason) for request_id, collection, item_id in rows]
