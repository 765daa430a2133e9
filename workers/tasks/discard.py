"""discard: removes what a failed, cancelled or superseded revision left behind: tables, STAC items and files. Repeatable."""

from __future__ import annotations

from codegen.messages.discard import DiscardParameters
from workers.context import Completed, Task
from workers.registry import handles
from workers.vector import publish


@handles("discard", DiscardParameters)
def discard(task: Task[DiscardParameters]) -> Completed:
    """Drop the tables that the revision's jobs loaded and nobody published, take its items out of the catalogue, and remove its files.

    The files go first: they are no part of the transaction, and removing them again does no harm.
    """
    asked = task.parameters
    files = task.storage.remove_prefix(f"{asked.client_id}/{asked.request_id}/r{asked.revision}")
    with task.effects() as effects:
        tables = publish.discard(effects.connection, asked.job_ids, task.check)
        items = effects.connection.execute(
            "SELECT app.stac_discard_items(%s, %s, %s)", (asked.request_id, asked.revision, asked.job_ids)
        ).fetchone()
        return effects.complete({"tables": tables, "items": items[0] if items else 0, "files": files})
