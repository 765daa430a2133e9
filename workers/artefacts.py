"""Artefacts that several requests of a client show: found again instead of made again, and removed with the last of them.

What an artefact follows from is its recipe: the bytes that are read (the fingerprint, made by whoever reads them), the request's
options, the software. The database compares recipes and keeps who uses what (platform.artefact_uses); what only a worker sees, whether
the file is there and whole, is looked at here.
"""

from __future__ import annotations

from typing import Any

import psycopg

from codegen.messages.request import RequestIdentity
from workers.connections import short_connection
from workers.context import Task
from workers.errors import TaskError


def equal_requests(task: Task[Any], fingerprint: str, software: str) -> list[tuple[str, dict[str, Any]]]:
    """Requests of the client that have published the same, and what their jobs reported. Any of them may be gone a moment later."""
    statement = "SELECT request_id, result FROM platform.equal_requests(%s, %s, %s, %s)"
    with short_connection() as connection:
        return connection.execute(statement, (task.claimed.task_id, task.claimed.attempt, fingerprint, software)).fetchall()


def use(connection: psycopg.Connection[Any], task: Task[Any], fingerprint: str, software: str, from_request: str | None = None) -> bool:
    """Note, among the task's effects, whose artefacts its request shows. False where those of from_request are not to be had any more."""
    values = (task.claimed.task_id, task.claimed.attempt, fingerprint, software, from_request)
    [(noted,)] = connection.execute("SELECT platform.use_artefacts(%s, %s, %s, %s, %s)", values).fetchall()
    return bool(noted)


def is_whole(task: Task[Any], key: str, checksum: str) -> bool:
    """Whether the artefact of a key is there with these bytes; a checksum is a multihash, which says first that it is one."""
    return task.storage.sha256(key, task.check) == checksum[-64:]


def remove(task: Task[Any], client_id: str, request_id: str, first_revision: int, last_revision: int) -> int:
    """Remove the files of revisions that no other request shows; returns how many there were. Repeatable."""
    with short_connection() as connection:
        statement = "SELECT made_by, made_in FROM platform.release_artefacts(%s, %s, %s)"
        unused = connection.execute(statement, (request_id, first_revision, last_revision)).fetchall()
    files = 0
    for made_by, made_in in unused:
        task.check()
        files += task.storage.remove_prefix(f"{client_id}/{made_by}/r{made_in}")
    return files


def require(connection: psycopg.Connection[Any], identity: RequestIdentity) -> None:
    """Refuse to show what is not held for the request any more: its revision had ended, and an operator took up its job again."""
    statement = "SELECT platform.holds_artefacts(%s, %s)"
    [(held,)] = connection.execute(statement, (identity.request_id, identity.revision)).fetchall()
    if not held:
        raise TaskError(
            "ARTEFACTS_RELEASED", "What an equal request made was found again, and has been let go of since", category="system",
            remediation="Retry the request: it begins anew",
        )  # fmt: skip
