"""discard, discard_superseded: remove what a failed, cancelled or superseded revision left behind: tables, STAC items, files.

Repeatable, both of them.
"""

from __future__ import annotations

from typing import Any

from codegen.messages.discard import DiscardParameters, SupersededParameters
from workers import artefacts
from workers.connections import short_connection
from workers.consistency import key_of_href
from workers.context import Completed, Task
from workers.registry import handles
from workers.vector import publish


@handles("discard_v3", DiscardParameters)
@handles("discard_v2", DiscardParameters)
@handles("discard", DiscardParameters)  # of a job that was submitted to the version before
def discard(task: Task[DiscardParameters]) -> Completed:
    """Drop the tables that the revision's jobs loaded and nobody published, take its items out of the catalogue, and remove its files.

    The files go first: they are no part of the transaction, and removing them again does no harm. What another request shows stays.
    """
    asked = task.parameters
    files = artefacts.remove(task, asked.client_id, asked.request_id, asked.revision, asked.revision)
    with task.effects() as effects:
        tables = publish.discard(effects.connection, asked.job_ids, task.check)
        items = effects.connection.execute(
            "SELECT app.stac_discard_items(%s, %s, %s)", (asked.request_id, asked.revision, asked.job_ids)
        ).fetchone()
        return effects.complete({"tables": tables, "items": items[0] if items else 0, "files": files})


@handles("discard_superseded_v2", SupersededParameters)
@handles("discard_superseded", SupersededParameters)  # of a job that was submitted to the version before
def discard_superseded(task: Task[SupersededParameters]) -> dict[str, Any]:
    """Remove the files of a collection's revisions before the one that readers see, but those that an item shows, its own or another's."""
    asked = task.parameters
    with short_connection() as connection:
        rows = connection.execute("SELECT app.stac_shown_items(%s)", (asked.request_id,)).fetchall()
    shown = {key_of_href(asset["href"]) for (item,) in rows for asset in item["assets"].values()}
    return {"files": artefacts.remove(task, asked.client_id, asked.request_id, 1, asked.revision - 1, shown)}
