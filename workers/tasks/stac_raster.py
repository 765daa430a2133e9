"""stac_raster: a published COG becomes a STAC item, in the transaction that completes the task."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from codegen.messages.raster import ProcessRasterParameters
from codegen.messages.raster_report import CogReport
from workers import artefacts, raster_item, stac
from workers.context import Completed, Task
from workers.registry import handles

_CONVERT_STAGE = 1


@handles("stac_raster_v3", ProcessRasterParameters)
@handles("stac_raster_v2", ProcessRasterParameters)
@handles("stac_raster", ProcessRasterParameters)  # of a job that was submitted to the version before
def catalogue(task: Task[ProcessRasterParameters]) -> dict[str, Any] | Completed:
    """Put the item of the COG that the stage before made, or that was found, into its collection, which is made if it is missing."""
    wanted = task.parameters
    cog = CogReport.model_validate(wanted.cog if wanted.reused_from else task.results(_CONVERT_STAGE)[0].result_data)
    words = stac.Words(wanted.title, wanted.description, wanted.license, wanted.keywords)
    item = raster_item.item(
        wanted, job_id=task.claimed.job_id, collection=wanted.stac_collection, cog=cog, time=wanted.datetime, words=words
    )
    if wanted.reused_from:
        item["properties"]["geomill:reused_from"] = wanted.reused_from
    # Its assets' definition says only what is true of every COG: other requests' items go into the same collection.
    collection = stac.collection(
        wanted.stac_collection,
        title=f"Rasters of {wanted.collection_prefix}",
        description=f"Rasters that {wanted.collection_prefix} had published, each as a Cloud Optimized GeoTIFF",
        items=[item],
        item_assets=raster_item.item_assets([]),
    )
    result = {
        "endpoints": {
            "cog": cog.href,
            "stac_item": stac.item_path(wanted.stac_collection, item["id"]),
            "stac_collection": stac.collection_path(wanted.stac_collection),
        },
        "stac_metadata": item,
        "cog": cog.model_dump(),
        "warnings": [],
    }
    with task.effects() as effects:
        effects.connection.execute("SELECT app.stac_ensure_collection(%s)", (Jsonb(collection),))
        effects.connection.execute("SELECT app.stac_upsert_items(%s)", (Jsonb([item]),))
        if wanted.reused_from:
            artefacts.require(effects.connection, wanted)
        return effects.complete(result)
