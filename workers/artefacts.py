"""Artefacts that several requests of a client show: found again instead of made again, and removed with the last of them.

What an artefact follows from is its recipe: the bytes that are read (the fingerprint, made by whoever reads them), the request's
options, the software. The database compares recipes and keeps who uses what (platform.artefact_uses); what only a worker sees, whether
the file is there and whole, is looked at here. Of a collection each member's COG is an artefact of its own (platform.member_uses).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from codegen.messages.raster_report import MemberReport
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


def equal_members(task: Task[Any], fingerprint: str, software: str) -> list[tuple[str, dict[str, Any]]]:
    """Requests of the client that show a COG of the same, and what was reported of it. Any of them may be gone a moment later.

    Asked for each member, and so on the connection that is kept between tasks.
    """
    statement = "SELECT request_id, report FROM platform.equal_members(%s, %s, %s, %s)"
    with task.effects_connection.transaction() as connection:
        return connection.execute(statement, (task.claimed.task_id, task.claimed.attempt, fingerprint, software)).fetchall()


def use_member(connection: psycopg.Connection[Any], task: Task[Any], found: MemberReport) -> bool:
    """Note, among the task's effects, that its member shows a COG of another request. False where that is not to be had any more."""
    values = (task.claimed.task_id, task.claimed.attempt, found.item_id, found.key, found.fingerprint, found.software, found.reused_from)
    [(noted,)] = connection.execute("SELECT platform.use_member(%s, %s, %s, %s, %s, %s, %s)", values).fetchall()
    return bool(noted)


def require_members(task: Task[Any], members: Sequence[MemberReport]) -> None:
    """Refuse what is not held any more of what was found for members, before anything is made of it."""
    found = [member for member in members if member.reused_from is not None]
    if found:
        with task.effects_connection.transaction() as connection:
            show_members(connection, task, found)


def show_members(connection: psycopg.Connection[Any], task: Task[Any], members: Sequence[MemberReport]) -> None:
    """Note, among the task's effects, what its collection shows from now on. Refused where what was found is not held any more."""
    told = [_told(member) for member in members]
    values = (task.claimed.task_id, task.claimed.attempt, Jsonb(told))
    [(held,)] = connection.execute("SELECT platform.show_members(%s, %s, %s)", values).fetchall()
    if not held:
        raise _released()


def _told(member: MemberReport) -> dict[str, Any]:
    """A member as platform.show_members takes it."""
    if member.reused_from is not None:
        return {"item_id": member.item_id, "key": member.key, "reused_from": member.reused_from}
    return {
        "item_id": member.item_id,
        "key": member.key,
        "fingerprint": member.fingerprint,
        "software": member.software,
        "report": member.model_dump(),
    }


def is_whole(task: Task[Any], key: str, checksum: str) -> bool:
    """Whether the artefact of a key is there with these bytes; a checksum is a multihash, which says first that it is one."""
    return task.storage.sha256(key, task.check) == checksum[-64:]


def remove(task: Task[Any], client_id: str, request_id: str, first_revision: int, last_revision: int, shown: Collection[str] = ()) -> int:
    """Remove the files of revisions that no other request shows; returns how many there were. Repeatable.

    `shown` are keys of files that the request itself goes on showing.
    """
    with short_connection() as connection:
        statement = "SELECT made_by, made_in, gone, kept FROM platform.release_artefacts_v2(%s, %s, %s, %s)"
        unused = connection.execute(statement, (request_id, first_revision, last_revision, sorted(shown))).fetchall()
    files = 0
    for made_by, made_in, gone, kept in unused:
        task.check()
        prefix, stays = f"{client_id}/{made_by}/r{made_in}", {*shown, *kept}
        if gone is not None:
            files += _remove_keys(task, gone)
        elif stays:
            files += _remove_others(task, prefix, stays)
        else:
            files += task.storage.remove_prefix(prefix)
    return files


def remove_earlier(task: Task[Any], key: str) -> None:
    """Remove what earlier attempts of the task left of an artefact, and the artefact: they died before they could say that it is there."""
    storage, claimed = task.storage, task.claimed
    storage.clear_up(storage.own_attempt(storage.attempt_path(key, claimed.task_id, claimed.attempt), key))
    _remove_keys(task, [key])


def _remove_keys(task: Task[Any], keys: Sequence[str]) -> int:
    """Remove artefacts, and what lies beside each of them."""
    files = 0
    for key in keys:
        task.check()
        for stored in filter(None, map(task.storage.found, (f"{key}.aux.xml", key))):
            task.storage.remove(stored)
            files += 1
    return files


def _remove_others(task: Task[Any], prefix: str, stays: Collection[str]) -> int:
    """Remove the files below a prefix but some artefacts, and what lies beside each of them."""
    files = 0
    for stored in list(task.storage.listed(prefix)):
        task.check()
        if stored.name not in stays and stored.name.removesuffix(".aux.xml") not in stays:
            task.storage.remove(stored)
            files += 1
    return files


def require(connection: psycopg.Connection[Any], identity: RequestIdentity) -> None:
    """Refuse to show what is not held for the request any more: its revision had ended, and an operator took up its job again."""
    statement = "SELECT platform.holds_artefacts(%s, %s)"
    [(held,)] = connection.execute(statement, (identity.request_id, identity.revision)).fetchall()
    if not held:
        raise _released()


def _released() -> TaskError:
    return TaskError(
        "ARTEFACTS_RELEASED", "What an equal request made was found again, and has been let go of since", category="system",
        remediation="Retry the request: it begins anew",
    )  # fmt: skip
