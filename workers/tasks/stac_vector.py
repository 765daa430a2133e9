"""vector_catalogue_v2: a loaded table becomes what readers see: table, STAC item and the request's end in one commit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pystac
from psycopg.types.json import Jsonb

from codegen.messages.vector import Download, RejectFile, VectorCatalogParameters, VectorReport
from workers import artefacts, footprint, stac
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.geo_table import INDEXED, STANDARD_COLUMNS, ColumnType, TableColumn
from workers.registry import handles
from workers.vector import merge, publish, shared

_DOWNLOAD_STAGE = 1


@handles("vector_catalogue_v2", VectorCatalogParameters)
@handles("vector_catalogue", VectorCatalogParameters)
@handles("stac_vector", VectorCatalogParameters)
def catalogue(task: Task[VectorCatalogParameters]) -> Completed:
    """Swap the loaded table in, or its rows, and put its item into its collection, which is made if it is missing.

    The other names are what jobs that versions before submitted call it.
    """
    wanted = task.parameters
    report = VectorReport.model_validate(wanted.vector)
    reports = [report, *report.more]
    download = _download(task)
    items = [table_item(wanted, task.claimed.job_id, one, download) for one in reports]
    # Other requests' tables go into the same collection, so it says only what is true of all of them.
    collection = stac.collection(
        wanted.stac_collection,
        title=f"Vectors of {wanted.collection_prefix}",
        description=f"Vector layers that {wanted.collection_prefix} had published, each as a table of PostGIS",
        items=items,
    )
    with task.effects() as effects:
        # The geo table before the catalogue's lock (design, lock order): a long reader keeps no other request waiting.
        if report.job_id is not None:
            reports = [_publish(task, one, report.job_id, staging, effects.connection) for one, staging in publish.loaded(report)]
            if report.swapped:
                mark = publish.Mark(wanted.client_id, wanted.request_id, wanted.revision, report.job_id)
                publish.retire(effects.connection, mark, [publish.name_of(one) for one in reports], task.check)
        effects.connection.execute("SELECT app.stac_ensure_collection(%s)", (Jsonb(collection),))
        effects.connection.execute("SELECT app.stac_upsert_items(%s)", (Jsonb(items),))
        if wanted.reused_from is not None:
            artefacts.require(effects.connection, wanted)
        return effects.complete(
            {
                "endpoints": {
                    "table": _one_or_all(report, [one.table for one in reports]),
                    **({} if download is None else {"data": download.href}),
                    **({"rejects": [file.href for file in report.reject_files]} if report.reject_files else {}),
                    "stac_item": _one_or_all(report, [stac.item_path(wanted.stac_collection, item["id"]) for item in items]),
                    "stac_collection": stac.collection_path(wanted.stac_collection),
                },
                "stac_metadata": _one_or_all(report, items, {"type": "FeatureCollection", "features": items}),
                "vector": reports[0].model_copy(update={"more": reports[1:]}).model_dump(mode="json", exclude_none=True),
                "downloaded": None if download is None else download.model_dump(),
                "warnings": [] if download is None else download.warnings,
            }
        )


def _one_or_all(report: VectorReport, each: list[Any], together: Any = None) -> Any:
    """What is said of the request's one table; of several (all layers, or a split one), all of them."""
    return each[0] if report.suffix is None else together or each


def _download(task: Task[VectorCatalogParameters]) -> Download | None:
    """What the stage before made, and is still there; None where no download was asked for."""
    if task.parameters.download is None:
        return None
    if task.parameters.downloaded is not None:
        return Download.model_validate(task.parameters.downloaded)
    made = Download.model_validate(task.results(_DOWNLOAD_STAGE)[0].result_data)
    # An operator may take the task up long after its request has ended and its leftovers were discarded.
    there = task.storage.found(made.key)
    if there is None or there.size != made.size:
        raise TaskError(
            "DOWNLOAD_GONE", "The file that was made for download is no longer there", category="system", field="download",
            remediation="Retry the request: it begins anew",
        )  # fmt: skip
    return made


def _publish(
    task: Task[VectorCatalogParameters], report: VectorReport, job_id: str, staging: str, connection: psycopg.Connection[Any]
) -> VectorReport:
    """The loaded table becomes the one that readers see, or its rows go into that one. Returns the report with the final counts."""
    wanted, source, table = task.parameters, report.source, publish.name_of(report)
    mark = publish.Mark(wanted.client_id, wanted.request_id, wanted.revision, job_id)
    if report.swapped:
        said = wanted.description or wanted.title or f"{source.layer}, from {source.file}"
        # Rows that were to go into a table that was not there make a table of the request's own: no other may be there now.
        mode = "replace" if report.mode == "replace" else "create"
        publish.swap(connection, staging, table, report.indexes, report.key_columns, mark, said, wanted.client_role, mode, task.check)
        return report.model_copy(update={"inserted": report.rows, "updated": 0})
    publish.require_staging(connection, staging)
    if publish.writable(connection, table, mark, report.mode) is None:
        raise TaskError(
            "TABLE_GONE", f"{report.table} was there when the source was inspected, and is gone", category="system", field="table_name",
            value=table, remediation="Retry the request: it makes the table anew",
        )  # fmt: skip
    columns = [TableColumn(column.name, ColumnType(column.type), column.original) for column in report.columns]
    merge.require_fit(connection, merge.describe(connection, publish.SCHEMA, table), columns, table, report.srid)
    shared.own(connection, publish.SCHEMA, table)
    names = [report.geometry_column, *(column.name for column in columns)]
    item = (wanted.stac_collection, wanted.stac_item_id)
    # What every table has it has from its beginning; the request asked for the others.
    asked = [name for name in report.indexes if name not in (report.geometry_column, *INDEXED)]
    merged = merge.into(connection, publish.SCHEMA, staging, table, names, report.key_columns, item, asked)
    if merged.inserted + merged.updated != report.rows:
        raise TaskError(
            "COUNTS_DIFFER", f"{report.rows} rows were loaded, {merged.inserted} inserted and {merged.updated} updated", category="system",
            remediation="Retry the request; report it if it happens again",
        )  # fmt: skip
    return report.model_copy(update={"inserted": merged.inserted, "updated": merged.updated, "removed": merged.removed})


def table_item(wanted: VectorCatalogParameters, job_id: str, report: VectorReport, download: Download | None = None) -> dict[str, Any]:
    """The STAC item of a table. Its geometry is the box of the rows; its time the request's, else the file's."""
    source = report.source
    return stac.item(
        wanted,
        item_id=stac.layer_item(wanted, report.suffix),
        job_id=job_id,
        collection=wanted.stac_collection,
        footprint=footprint.of_bounds(*report.bbox),
        time=stac.when(wanted.datetime, datetime.fromisoformat(source.modified)),
        words=stac.Words(wanted.title, wanted.description, wanted.license, wanted.keywords),
        properties={
            "proj:code": f"EPSG:{report.srid}",
            "table:columns": _columns(report),
            "table:primary_geometry": report.geometry_column,
            "table:row_count": report.rows,
            "geomill:mode": report.mode,
            **({"geomill:reused_from": wanted.reused_from} if wanted.reused_from is not None else {}),
            "geomill:geometry_type": report.geometry_type,
            "geomill:source_file": source.file,
            "geomill:source_format": source.format,
            "geomill:source_layer": source.layer,
            "geomill:source_crs": source.crs,
            "geomill:source_sha256": source.sha256,
            **({"geomill:source_crs_wkt": source.crs_wkt} if source.crs_wkt else {}),
        },
        # No host and no database: those are the reader's own connection's.
        assets={
            "table": pystac.Asset(href=f"postgresql:///?table={report.table}", title=f"Table {report.table}", roles=["data"]),
            **({} if download is None else {"download": _downloaded(download, report)}),
            **{f"rejects_{file.href.rpartition('.')[2]}": _rejects(file) for file in report.reject_files},
        },
        extensions=[stac.PROJECTION, stac.TABLE, *([stac.FILE] if report.reject_files or download is not None else [])],
    )


def _downloaded(download: Download, report: VectorReport) -> pystac.Asset:
    # An equal request's layers are called as its tables.
    layer = "" if report.loaded_by is not None else f", layer {publish.name_of(report)}"
    return pystac.Asset(
        href=download.href, title=f"GeoPackage{layer}", media_type=download.media_type, roles=["data"],
        extra_fields={"file:size": download.size, "file:checksum": download.checksum},
    )  # fmt: skip


def _rejects(file: RejectFile) -> pystac.Asset:
    return pystac.Asset(
        href=file.href, title="What was rejected, and why", media_type=file.media_type, roles=["metadata"],
        extra_fields={"file:size": file.size},
    )  # fmt: skip


def _columns(report: VectorReport) -> list[dict[str, str]]:
    """Every column of the table, in order, with its type and what it is."""
    standard = [{"name": name, "type": type_.split()[0], "description": text} for name, (type_, text) in STANDARD_COLUMNS.items()]
    geometry = {
        "name": report.geometry_column,
        "type": f"geometry({report.geometry_type},{report.srid})",
        "description": "Geometry of the row",
    }
    own = [{"name": column.name, "type": column.type, "description": f"{column.original} in the source"} for column in report.columns]
    return [*standard, geometry, *own]
