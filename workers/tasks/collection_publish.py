"""collection_publish: what a collection request has converted becomes what readers see.

First the mosaic, a file that nobody knows of yet. Then one transaction: items, collection, the search that tilers make
dynamic mosaics from, and the end of the request. Readers see the old collection until it commits, then the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from psycopg.types.json import Jsonb

from codegen.messages.raster import PublishCollectionParameters
from codegen.messages.raster_report import MemberReport, Warned
from workers import artefacts, raster_item, raster_render, stac
from workers.connections import short_connection
from workers.context import Completed, Task
from workers.mosaic import Covering, mosaic
from workers.registry import handles
from workers.tasks.collection import CONVERT_STAGE
from workers.tasks.raster import key_of

MOSAIC = "mosaic.json"


@handles("collection_publish_v2", PublishCollectionParameters)
@handles("collection_publish", PublishCollectionParameters)
@handles("collection_mosaic", PublishCollectionParameters)  # of a job that was submitted to the version before
def publish(task: Task[PublishCollectionParameters]) -> dict[str, Any] | Completed:
    """Publish the mosaic, then catalogue everything at once. What earlier revisions added stays where this one appends."""
    wanted = task.parameters
    if wanted.converted_by is None:
        # A worker of the version before has catalogued them already, and found no mosaic beside them.
        mosaicked = _publish_mosaic(task, [Covering(one["href"], one["bounds"], one["minzoom"], one["maxzoom"]) for one in wanted.members])
        return {"endpoints": mosaicked.endpoints, "warnings": mosaicked.warnings}
    done = task.results(CONVERT_STAGE, wanted.converted_by)
    cogs = [MemberReport.model_validate(one.result_data) for one in done if one.status == "completed"]
    artefacts.require_members(task, cogs)
    job_id = task.claimed.job_id
    items = [_item(wanted, job_id, cog) for cog in cogs]
    shown = sorted([*items, *_kept(wanted, {item["id"] for item in items})], key=lambda item: str(item["id"]))
    mosaicked = _publish_mosaic(task, [raster_item.covering(item) for item in shown])
    render = raster_render.together(shown)
    collection = stac.collection(
        wanted.stac_collection,
        title=wanted.title,
        description=wanted.description or f"{len(shown)} rasters: {wanted.dataset_id} {wanted.resource_id} {wanted.version_id}",
        license=wanted.license,
        keywords=wanted.keywords,
        items=shown,
        item_assets=raster_item.item_assets(shown),
        extra={**stac.request_properties(wanted, job_id), **({} if render is None else {"renders": {raster_render.DEFAULT: render}})},
        extensions=raster_item.collection_extensions(shown, rendered=render is not None),
    )
    doubts = raster_item.together(((cog.source.name, warning.model_dump()) for cog in cogs for warning in cog.warnings), wanted.sources)
    result = {
        "endpoints": {
            "stac_collection": stac.collection_path(wanted.stac_collection),
            "search": stac.search_path(wanted.stac_collection),
            "cog": [raster_item.href(item) for item in shown],
            **mosaicked.endpoints,
        },
        "stac_metadata": collection,
        "source": {"bytes": sum(cog.source.size for cog in cogs)},
        "items": {"new": len(items), "kept": len(shown) - len(items)},
        **_reused(wanted, cogs),
        "warnings": [*doubts, *mosaicked.warnings],
    }
    with task.effects() as effects:
        run = effects.connection.execute
        run("SELECT app.stac_upsert_collection(%s)", (Jsonb(collection),))
        run("SELECT app.stac_upsert_items(%s)", (Jsonb(items),))
        run("SELECT app.stac_retire_items(%s, %s, %s)", (wanted.stac_collection, wanted.request_id, [item["id"] for item in shown]))
        run("SELECT app.stac_register_search(%s)", (wanted.stac_collection,))
        artefacts.show_members(effects.connection, task, cogs)
        return effects.complete(result)


def _item(wanted: PublishCollectionParameters, job_id: str, cog: MemberReport) -> dict[str, Any]:
    item = raster_item.item(
        wanted, job_id=job_id, collection=wanted.stac_collection, cog=cog, time=wanted.datetime, words=_words(wanted, cog)
    )
    if cog.reused_from is not None:
        item["properties"]["geomill:reused_from"] = cog.reused_from
    return item


def _reused(wanted: PublishCollectionParameters, cogs: Sequence[MemberReport]) -> dict[str, Any]:
    """How many members of how many show what other requests made, and which these are; nothing where none does."""
    found = [cog.reused_from for cog in cogs if cog.reused_from is not None]
    return {"reused": {"members": len(found), "of": wanted.sources, "from": sorted(set(found))}} if found else {}


def _kept(wanted: PublishCollectionParameters, replaced: set[str]) -> list[dict[str, Any]]:
    """The items of earlier revisions that stay, in no order."""
    if wanted.mode == "replace":
        return []
    with short_connection() as connection:
        rows = connection.execute("SELECT app.stac_shown_items(%s, %s)", (wanted.request_id, wanted.stac_collection)).fetchall()
    return [item for (item,) in rows if item["id"] not in replaced]


class _Mosaic:
    """The mosaic's endpoint, or why there is none."""

    def __init__(self, href: str | None) -> None:
        self.endpoints: Mapping[str, str] = {} if href is None else {"mosaic": href}
        beyond = Warned(
            code="MOSAIC_NOT_POSSIBLE", message="no member reaches into the web map, which ends at 85° north and south: there is no mosaic"
        )
        self.warnings = [beyond.model_dump()] if href is None else []


def _publish_mosaic(task: Task[PublishCollectionParameters], covered: Sequence[Covering]) -> _Mosaic:
    """The MosaicJSON of the COGs, beside them."""
    document = mosaic(covered)
    if document is None:
        return _Mosaic(None)
    key = key_of(task.parameters, MOSAIC)
    attempt = task.storage.attempt_path(key, task.claimed.task_id, task.claimed.attempt)
    try:
        attempt.write_text(document.model_dump_json(exclude_none=True), encoding="utf-8")
        task.check()
        return _Mosaic(task.storage.publish(attempt, key))
    finally:
        attempt.unlink(missing_ok=True)


def _words(wanted: PublishCollectionParameters, cog: MemberReport) -> stac.Words:
    """An item is called after its file; what the request says in words is about the collection."""
    return stac.Words(title=PurePosixPath(cog.source.name).stem, license=wanted.license)
