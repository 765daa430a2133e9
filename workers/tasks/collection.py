"""Collections of rasters: inspect the members, convert each in a task of its own, and see how many came through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from codegen.messages.raster import ProcessCollectionParameters
from codegen.messages.raster_report import CogReport, Member, MemberReport, Warned
from workers import artefacts, members, raster_report, raster_source, stac
from workers.connections import short_connection
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.raster_kind import Guess
from workers.raster_source import Raster
from workers.registry import handles
from workers.tasks.raster import found_again, key_of, make

INSPECT_STAGE, CONVERT_STAGE = 1, 2
_NAMED = 10


@handles("collection_inspect_v2", ProcessCollectionParameters)
@handles("collection_inspect", ProcessCollectionParameters)  # of a job that was submitted to the version before
def inspect(task: Task[ProcessCollectionParameters]) -> dict[str, Any]:
    """List the members, read their headers, settle what they have in common; each member becomes a task."""
    wanted = task.parameters
    paths, warned = members.listed(task.storage, wanted)
    found = list(members.headers(task.storage, wanted, paths, task.check))
    unreadable = [one for one in found if isinstance(one, members.Unreadable)]
    readable = [one for one in found if isinstance(one, members.Header)]
    if unreadable and (wanted.on_item_error == "fail" or not readable):
        raise _members_failed({one.source_path: one.error.detail.model_dump() for one in unreadable}, len(paths))
    # What does not open stays a member: its own task says so, where it can be redriven.
    odd = (
        []
        if wanted.homogeneity == "ignore"
        else members.disagreements(readable, reprojected=wanted.target_crs is not None, kept=_kept(wanted))
    )
    if odd:
        said = f"{len(odd)} of {len(paths)} members differ from the others: {'; '.join(odd[:_NAMED])}"
        if wanted.homogeneity == "strict" or wanted.strict:
            raise TaskError(
                "COLLECTION_NOT_HOMOGENEOUS",
                said,
                category="data",
                field="source_path",
                remediation="Leave the odd ones out, give target_crs where only the CRS differs, or submit with homogeneity warn",
                context={"members": odd},
            )
        warned.append(Warned(code="COLLECTION_NOT_HOMOGENEOUS", message=said, remediation="Leave the odd ones out"))
    kind = None if wanted.kind else members.decided_kind(readable)
    names = stac.names({path: PurePosixPath(path).stem for path in paths})
    task.log.info("collection inspected", members=len(paths), unreadable=len(unreadable), kind=kind.kind if kind else wanted.kind)
    return {
        "members": [
            Member(
                source_path=path,
                name=names[path],
                item_id=f"{wanted.stac_item_id}_{names[path]}",
                kind=kind.kind if kind else None,
                kind_reason=kind.reason if kind else None,
            ).model_dump()
            for path in paths
        ],
        "warnings": [warning.model_dump() for warning in warned],
    }


def _kept(wanted: ProcessCollectionParameters) -> list[members.Likeness]:
    """What the items that this revision is added to are like."""
    if wanted.mode == "replace":
        return []
    with short_connection() as connection:
        rows = connection.execute("SELECT app.stac_shown_items(%s, %s)", (wanted.request_id, wanted.stac_collection)).fetchall()
    return [members.likeness_of(item) for (item,) in rows]


@handles("collection_convert_v3", ProcessCollectionParameters)
def find_or_convert(task: Task[ProcessCollectionParameters]) -> dict[str, Any] | Completed:
    """Make the COG of one member; where an equal member of another collection is published, its COG will do."""
    member = Member.model_validate(task.item)
    with _opened(task, member) as raster:
        before = raster.state()
        told, checksum = raster_report.fingerprint(raster, task.check)
        # The kind may have been decided by the other members.
        fingerprint, software = f"{told} {member.kind}", raster_report.software()
        if reused := _reuse(task, member, fingerprint, software, raster.name):
            return reused
        made = _converted(task, member, raster, checksum)
        if raster.state() != before:
            raise raster_source.changed(raster.name)
        return MemberReport(**dict(made), fingerprint=fingerprint, software=software).model_dump()


@handles("collection_convert_v2", ProcessCollectionParameters)
@handles("collection_convert", ProcessCollectionParameters)  # of a job that was submitted to the version before
def convert(task: Task[ProcessCollectionParameters]) -> dict[str, Any]:
    """As `find_or_convert`, but finding none, and telling nobody how to find it: workers of the version before read the result."""
    member = Member.model_validate(task.item)
    with _opened(task, member) as raster:
        return _converted(task, member, raster).model_dump()


@contextmanager
def _opened(task: Task[ProcessCollectionParameters], member: Member) -> Iterator[Raster]:
    with (
        task.storage.open_source(member.source_path, task.parameters.source_roots, check=task.check) as source,
        raster_source.opened(raster_source.find(source, member.source_path), source.name) as raster,
    ):
        yield raster


def _converted(task: Task[ProcessCollectionParameters], member: Member, raster: Raster, checksum: str | None = None) -> CogReport:
    """Examine a member and make its COG."""
    wanted = task.parameters
    kind = None if member.kind is None or member.kind_reason is None else Guess(member.kind, member.kind_reason)
    report = raster_report.examine(raster, wanted, wanted.source_crs, task.check, kind, checksum)
    return make(task, raster, report, wanted, member.name, member.item_id)


def _reuse(task: Task[ProcessCollectionParameters], member: Member, fingerprint: str, software: str, name: str) -> Completed | None:
    """Complete with the COG of an equal member, if there is one that is there and whole."""
    for request_id, report in artefacts.equal_members(task, fingerprint, software):
        found = found_again(task, MemberReport.model_validate(report), name, request_id)
        if found is None:
            continue
        profile = found.profile.model_copy(update={"kind_reason": member.kind_reason or found.profile.kind_reason})
        found = found.model_copy(update={"item_id": member.item_id, "profile": profile, "reused_from": request_id})
        if task.claimed.attempt > 1:
            # An earlier one may have found none, and made one.
            artefacts.remove_earlier(task, key_of(task.parameters, f"{member.name}.tif"))
        with task.effects() as effects:
            if artefacts.use_member(effects.connection, task, found):
                task.log.info("an equal member's COG will do", reused_from=request_id, key=found.key)
                return effects.complete(found.model_dump())
    return None


@handles("collection_gather", ProcessCollectionParameters)
@handles("stac_collection", ProcessCollectionParameters)  # of a job that was submitted to the version before
def gather(task: Task[ProcessCollectionParameters]) -> Completed:
    """Decide what failed members mean, and hand the others on: readers see nothing yet."""
    wanted = task.parameters
    job_id = task.claimed.job_id
    inspected = task.results(INSPECT_STAGE)[0].result_data or {}
    total = len(inspected["members"])
    with task.effects() as effects:
        failures = _failures(effects.connection, job_id)
        if failures and wanted.on_item_error == "fail":
            raise _members_failed(failures, total)
        for source_path, error in failures.items():
            effects.connection.execute(
                "SELECT platform.record_rejects(%s, %s, %s, %s)",
                (task.claimed.task_id, task.claimed.attempt, source_path, Jsonb([{"code": error["code"], "reason": error["message"]}])),
            )
        return effects.complete({"converted_by": job_id, "sources": total, "warnings": inspected["warnings"]})


def _failures(connection: psycopg.Connection[Any], job_id: str) -> dict[str, Mapping[str, Any]]:
    """The error that each failed member ended with, by its path, in order."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT item, error FROM app.stage_errors(%s, %s) WHERE status::text = 'failed' ORDER BY task_index, attempt",
            (job_id, CONVERT_STAGE),
        )
        # Of several attempts the last one counts.
        return {row["item"]["source_path"]: row["error"] for row in cursor}


def _members_failed(failures: Mapping[str, Mapping[str, Any]], total: int) -> TaskError:
    """The refusal of a collection for its members: it names them, and whose it is to mend is as with the first of them."""
    said: Sequence[str] = [f"{PurePosixPath(path).name} ({error['code']}: {error['message']})" for path, error in failures.items()]
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    first = next(iter(failures.values()))
    return TaskError(
        "COLLECTION_MEMBERS_FAILED",
        f"{len(said)} of {total} members cannot be ingested: {'; '.join(said[:_NAMED])}{more}",
        category=first["category"],
        field="source_path",
        remediation="Mend or leave out these files, or submit with on_item_error continue",
        context={
            "members": [{"source_path": path, "code": error["code"], "message": error["message"]} for path, error in failures.items()][:100]
        },
    )
