"""unpublish: takes back what a request published: its table and its STAC items, then its files. Repeatable.

One and the same for vectors, rasters and collections: a table is known by its mark, an item and a collection by their
properties, files by their prefix. Each says its revision, so that what a later revision makes meanwhile stays.
"""

from __future__ import annotations

from typing import Any

from codegen.messages.unpublish import UnpublishParameters, UnpublishVectorParameters
from workers import artefacts
from workers.context import Completed, Effects, Task
from workers.registry import handles
from workers.vector import publish

_WITHDRAW_STAGE = 1


@handles("vector_withdraw_v2", UnpublishVectorParameters)
@handles("vector_withdraw", UnpublishVectorParameters)  # of a job that was submitted to the version before
def withdraw_vector(task: Task[UnpublishVectorParameters]) -> Completed:
    """As `withdraw`; rows that the request appended to another's table go too.

    What it upserted there stays: nobody knows what was before.
    """
    asked = task.parameters
    with task.effects() as effects:
        rows = 0
        if asked.mode == "append":
            rows = publish.withdraw_rows(effects.connection, asked.table_name, asked.request_id, asked.client_id, asked.job_ids)
        return _withdraw(task, effects, rows=rows)


@handles("unpublish_withdraw", UnpublishParameters)
def withdraw(task: Task[UnpublishParameters]) -> Completed:
    """Drop the request's table and take its items, and a collection of its own, out of the catalogue, in one transaction.

    Readers lose all of it at once. Files come after: no item ever points to one that is gone.
    """
    with task.effects() as effects:
        return _withdraw(task, effects)


def _withdraw(task: Task[Any], effects: Effects, **counts: int) -> Completed:
    asked: UnpublishParameters = task.parameters
    tables = publish.withdraw(effects.connection, asked.request_id, asked.revision, asked.job_ids, task.check)
    [(items, collections, kept)] = effects.connection.execute(
        "SELECT w.items, w.collections, w.kept FROM app.stac_withdraw(%s, %s, %s, %s) AS w",
        (asked.request_id, asked.revision, asked.stac_collection, asked.stac_item_id),
    ).fetchall()
    task.log.info("withdrawn", tables=tables, items=items, collections=collections, kept=kept, **counts)
    return effects.complete({"tables": tables, "items": items, "collections": collections, "kept_collections": kept, **counts})


@handles("unpublish_files_v3", UnpublishParameters)
@handles("unpublish_files_v2", UnpublishParameters)
@handles("unpublish_files", UnpublishParameters)  # of a job that was submitted to the version before
def remove_files(task: Task[UnpublishParameters]) -> dict[str, Any]:
    """Remove the files of the revision and of those before it, but what another request shows; returns what the whole job removed."""
    asked = task.parameters
    files = artefacts.remove(task, asked.client_id, asked.request_id, 1, asked.revision)
    withdrawn = task.results(_WITHDRAW_STAGE)[0].result_data or {}
    return {**withdrawn, "files": files}
