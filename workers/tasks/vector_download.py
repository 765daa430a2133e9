"""vector_download: what a vector request loaded, as a GeoPackage, before anybody sees the table or the item that names it."""

from __future__ import annotations

from datetime import datetime

from codegen.messages.vector import Download, VectorCatalogParameters, VectorReport
from workers import stac
from workers.context import Completed, Task
from workers.registry import handles
from workers.vector import geopackage, publish
from workers.vector import reports as words


@handles("vector_download", VectorCatalogParameters)
def download(task: Task[VectorCatalogParameters]) -> Completed:
    """Write the file under the attempt's name, a layer for each table, prove it and publish it by one rename.

    The rows are read where they were loaded; the attempt is held meanwhile, so that no two write the file.
    """
    wanted = task.parameters
    tables = publish.loaded(VectorReport.model_validate(wanted.vector))
    reports = [report for report, _ in tables]
    key = f"{wanted.client_id}/{wanted.request_id}/r{wanted.revision}/{stac.name(wanted.stac_item_id)}.gpkg"
    attempt = task.storage.attempt_path(key, task.claimed.task_id, task.claimed.attempt)
    with task.effects() as effects:
        try:
            for _, table in tables:
                publish.require_staging(effects.connection, table)
            with geopackage.dated(datetime.fromisoformat(reports[0].source.modified)):
                for report, table in tables:
                    geopackage.write(effects.connection, attempt, report, table, task.check)
            geopackage.require_whole(attempt, reports)
            differing = geopackage.differences(effects.connection, tables)
            size, checksum = attempt.stat().st_size, stac.checksum(attempt, task.check)
            task.check()
            href = task.storage.publish(attempt, key)
        finally:
            # SQLite's journal lies beside it.
            for leftover in attempt.parent.glob(f"{attempt.name}*"):
                leftover.unlink(missing_ok=True)
        task.log.info("GeoPackage published", key=key, size=size)
        made = Download(
            key=key, href=href, size=size, checksum=checksum, media_type=geopackage.MEDIA_TYPE, warnings=words.of_download(differing)
        )
        return effects.complete(made.model_dump())
