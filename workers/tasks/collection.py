"""Collections of rasters: inspect the members, convert each in a task of its own, catalogue them together, and the mosaic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from codegen.messages.raster import MosaicParameters, ProcessCollectionParameters
from codegen.messages.raster_report import CogReport, Member, Warned
from workers import members, raster_item, raster_report, raster_source, stac
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.mosaic import Covering, mosaic
from workers.raster_kind import Guess
from workers.registry import handles
from workers.tasks.raster import key_of, make

_INSPECT_STAGE, _CONVERT_STAGE = 1, 2
_NAMED = 10
_MOSAIC = "mosaic.json"


@handles("collection_inspect", ProcessCollectionParameters)
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
    odd = [] if wanted.homogeneity == "ignore" else members.disagreements(readable, reprojected=wanted.target_crs is not None)
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


@handles("collection_convert", ProcessCollectionParameters)
def convert(task: Task[ProcessCollectionParameters]) -> dict[str, Any]:
    """Examine one member and make its COG."""
    wanted = task.parameters
    member = Member.model_validate(task.item)
    kind = None if member.kind is None or member.kind_reason is None else Guess(member.kind, member.kind_reason)
    with task.storage.open_source(member.source_path, wanted.source_roots) as source:
        path = raster_source.find(source, member.source_path)
        report = raster_report.examine(path, source.name, wanted, wanted.source_crs, task.check, kind)
        return make(task, path, source.name, report, wanted, member.name, member.item_id).model_dump()


@handles("stac_collection", ProcessCollectionParameters)
def catalogue(task: Task[ProcessCollectionParameters]) -> dict[str, Any] | Completed:
    """One STAC collection with an item for each COG; what the request put there before and is no member now goes."""
    wanted = task.parameters
    job_id = task.claimed.job_id
    inspected = task.results(_INSPECT_STAGE)[0].result_data or {}
    total = len(inspected["members"])
    cogs = [CogReport.model_validate(done.result_data) for done in task.results(_CONVERT_STAGE) if done.status == "completed"]
    items = [
        raster_item.item(wanted, job_id=job_id, collection=wanted.stac_collection, cog=cog, time=wanted.datetime, words=_words(wanted, cog))
        for cog in cogs
    ]
    collection = stac.collection(
        wanted.stac_collection,
        title=wanted.title,
        description=wanted.description or f"{len(items)} rasters: {wanted.dataset_id} {wanted.resource_id} {wanted.version_id}",
        license=wanted.license,
        keywords=wanted.keywords,
        items=items,
        item_assets=raster_item.item_assets(cogs),
        extra=stac.request_properties(wanted, job_id),
    )
    doubts = raster_item.together(((cog.source.name, warning.model_dump()) for cog in cogs for warning in cog.warnings), total)
    result = {
        "members": [
            {"href": cog.href, "bounds": cog.bbox, "minzoom": cog.minzoom, "maxzoom": cog.maxzoom, "item_id": cog.item_id} for cog in cogs
        ],
        "endpoints": {"stac_collection": stac.collection_path(wanted.stac_collection), "cog": [cog.href for cog in cogs]},
        "stac_metadata": collection,
        "warnings": [*inspected["warnings"], *doubts],
    }
    with task.effects() as effects:
        failures = _failures(effects.connection, job_id)
        if failures and wanted.on_item_error == "fail":
            raise _members_failed(failures, total)
        for source_path, error in failures.items():
            effects.connection.execute(
                "SELECT platform.record_rejects(%s, %s, %s, %s)",
                (task.claimed.task_id, task.claimed.attempt, source_path, Jsonb([{"code": error["code"], "reason": error["message"]}])),
            )
        effects.connection.execute("SELECT app.stac_upsert_collection(%s)", (Jsonb(collection),))
        effects.connection.execute("SELECT app.stac_upsert_items(%s)", (Jsonb(items),))
        effects.connection.execute(
            "SELECT app.stac_retire_items(%s, %s, %s)", (wanted.stac_collection, wanted.request_id, [item["id"] for item in items])
        )
        return effects.complete(result)


@handles("collection_mosaic", MosaicParameters)
def publish_mosaic(task: Task[MosaicParameters]) -> dict[str, Any]:
    """Publish the MosaicJSON of the collection's COGs beside them."""
    wanted = task.parameters
    document = mosaic([Covering(one["href"], one["bounds"], one["minzoom"], one["maxzoom"]) for one in wanted.members])
    if document is None:
        beyond = Warned(
            code="MOSAIC_NOT_POSSIBLE", message="no member reaches into the web map, which ends at 85° north and south: there is no mosaic"
        )
        return {"endpoints": {}, "warnings": [beyond.model_dump()]}
    key = key_of(wanted, _MOSAIC)
    attempt = task.storage.attempt_path(key, task.claimed.task_id, task.claimed.attempt)
    try:
        attempt.write_text(document.model_dump_json(exclude_none=True), encoding="utf-8")
        task.check()
        href = task.storage.publish(attempt, key)
    finally:
        attempt.unlink(missing_ok=True)
    return {
        "endpoints": {"mosaic": href},
        "mosaic": {"tiles": len(document.tiles), "zooms": [document.minzoom, document.maxzoom]},
        "warnings": [],
    }


def _words(wanted: ProcessCollectionParameters, cog: CogReport) -> stac.Words:
    """An item is called after its file; what the request says in words is about the collection."""
    return stac.Words(title=PurePosixPath(cog.source.name).stem, license=wanted.license)


def _failures(connection: psycopg.Connection[Any], job_id: str) -> dict[str, Mapping[str, Any]]:
    """The error that each failed member ended with, by its path, in order."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT item, error FROM app.stage_errors(%s, %s) WHERE status::text = 'failed' ORDER BY task_index, attempt",
            (job_id, _CONVERT_STAGE),
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
