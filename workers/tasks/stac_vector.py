"""stac_vector: a published table becomes a STAC item, in the transaction that completes the task."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pystac
from psycopg.types.json import Jsonb

from codegen.messages.vector import VectorCatalogParameters, VectorReport
from workers import footprint, stac
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.geo_table import STANDARD_COLUMNS
from workers.registry import handles
from workers.vector import publish
from workers.vector.crs import WGS84


@handles("stac_vector", VectorCatalogParameters)
def catalogue(task: Task[VectorCatalogParameters]) -> Completed:
    """Put the item of the request's table into its collection, which is made if it is missing."""
    wanted = task.parameters
    report = VectorReport.model_validate(wanted.vector)
    item = table_item(wanted, task.claimed.job_id, report)
    # Other requests' tables go into the same collection, so it says only what is true of all of them.
    collection = stac.collection(
        wanted.stac_collection,
        title=f"Vectors of {wanted.collection_prefix}",
        description=f"Vector layers that {wanted.collection_prefix} had published, each as a table of PostGIS",
        items=[item],
    )
    with task.effects() as effects:
        mark = publish.mark_of(effects.connection, wanted.table_name)
        if mark is None or (mark.request_id, mark.revision) != (wanted.request_id, wanted.revision):
            # An operator may take this task up long after its request has ended and its table was discarded or replaced.
            raise TaskError(
                "TABLE_GONE", f"{report.table} does not hold revision {wanted.revision} of the request any more", category="system",
                remediation="Retry the request: it begins anew",
            )  # fmt: skip
        effects.connection.execute("SELECT app.stac_ensure_collection(%s)", (Jsonb(collection),))
        effects.connection.execute("SELECT app.stac_upsert_items(%s)", (Jsonb([item]),))
        return effects.complete(
            {
                "endpoints": {
                    "stac_item": stac.item_path(wanted.stac_collection, item["id"]),
                    "stac_collection": stac.collection_path(wanted.stac_collection),
                },
                "stac_metadata": item,
                "warnings": [],
            }
        )


def table_item(wanted: VectorCatalogParameters, job_id: str, report: VectorReport) -> dict[str, Any]:
    """The STAC item of a table. Its geometry is the box of the rows; its time the request's, else the file's."""
    source = report.source
    return stac.item(
        wanted,
        job_id=job_id,
        collection=wanted.stac_collection,
        footprint=footprint.of_bounds(*report.bbox),
        time=stac.when(wanted.datetime, datetime.fromisoformat(source.modified)),
        words=stac.Words(wanted.title, wanted.description, wanted.license, wanted.keywords),
        properties={
            "proj:code": f"EPSG:{WGS84}",
            "table:columns": _columns(report),
            "table:primary_geometry": report.geometry_column,
            "table:row_count": report.rows,
            "geomill:geometry_type": report.geometry_type,
            "geomill:source_file": source.file,
            "geomill:source_format": source.format,
            "geomill:source_layer": source.layer,
            "geomill:source_crs": source.crs,
            "geomill:source_sha256": source.sha256,
            **({"geomill:source_crs_wkt": source.crs_wkt} if source.crs_wkt else {}),
        },
        # No host and no database: those are the reader's own connection's.
        assets={"table": pystac.Asset(href=f"postgresql:///?table={report.table}", title=f"Table {report.table}", roles=["data"])},
        extensions=[stac.PROJECTION, stac.TABLE],
    )


def _columns(report: VectorReport) -> list[dict[str, str]]:
    """Every column of the table, in order, with its type and what it is."""
    standard = [{"name": name, "type": type_.split()[0], "description": text} for name, (type_, text) in STANDARD_COLUMNS.items()]
    geometry = {"name": report.geometry_column, "type": f"geometry({report.geometry_type},{WGS84})", "description": "Geometry of the row"}
    own = [{"name": column.name, "type": column.type, "description": f"{column.original} in the source"} for column in report.columns]
    return [*standard, geometry, *own]
