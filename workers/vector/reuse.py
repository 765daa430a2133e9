"""Whether what an equal request loaded will do for another: its tables are as they were published, and its files are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
import pyogrio

from codegen.messages.vector import Download, IngestVectorParameters, SourceReport, VectorReport
from workers import artefacts
from workers.context import Effects, Task
from workers.identity import software_version
from workers.vector import publish, shared

_PATIENCE = "5s"
"""How long writers of the tables are waited for; then the source is loaded instead."""


def recipe(connection: psycopg.Connection[Any], source: SourceReport) -> tuple[str, str]:
    """The fingerprint of a source, and the software that would load it. The file's name is in every row."""
    [(postgis, geos)] = connection.execute("SELECT public.postgis_lib_version(), public.postgis_geos_version()").fetchall()
    fingerprint = hashlib.sha256(json.dumps([source.sha256, source.file]).encode()).hexdigest()
    return fingerprint, f"geomill {software_version()}, GDAL {pyogrio.__gdal_version_string__}, PostGIS {postgis}, GEOS {geos}"


def find(task: Task[IngestVectorParameters], effects: Effects, modified: str, fingerprint: str, software: str) -> dict[str, Any] | None:
    """The result of an equal request, as this one's, whose tables are made views of that one's; None where there is none.

    What rejected rows is loaded again, for its rejects are each request's own; so is what may be edited in place (arcgis_mode),
    and what goes into a table that is there.
    """
    asked = task.parameters
    if asked.mode != "create" or asked.arcgis_mode:
        return None
    for request_id, result in artefacts.equal_requests(task, fingerprint, software):
        first = VectorReport.model_validate(result["vector"])
        reports = [first, *first.more]
        download = None if result.get("downloaded") is None else Download.model_validate(result["downloaded"])
        if any(report.rejected for report in reports) or not (
            download is None or artefacts.is_whole(task, download.key, download.checksum)
        ):
            continue
        if not _taken(task, effects.connection, reports, result["published_at"], (fingerprint, software, request_id)):
            task.log.warning("an equal request's table is not what it was", reused_from=request_id, table=first.table)
            continue
        task.log.info("an equal request's table will do", reused_from=request_id, table=first.table)
        mine = [_as_mine(task, report, modified) for report in reports]
        told = mine[0].model_copy(update={"more": mine[1:]})
        return {
            "vector": told.model_dump(mode="json", exclude_none=True),
            "warnings": [warning for report in reports for warning in report.warnings],
            "reused_from": request_id,
            "downloaded": None if download is None else download.model_copy(update={"href": task.storage.href(download.key)}).model_dump(),
        }
    return None


def _as_mine(task: Task[IngestVectorParameters], report: VectorReport, modified: str) -> VectorReport:
    return report.model_copy(
        update={
            "table": f"{publish.SCHEMA}.{publish.layer_table(task.parameters.table_name, report.suffix)}",
            "job_id": task.claimed.job_id,
            "loaded_by": report.loaded_by or report.job_id,
            "source": report.source.model_copy(update={"modified": modified}),
        }
    )


def _taken(
    task: Task[IngestVectorParameters],
    connection: psycopg.Connection[Any],
    reports: Sequence[VectorReport],
    published_at: str,
    recipe_of: tuple[str, str, str],
) -> bool:
    """Make the views that become this request's tables; False, and none, where a table is gone or has been written to since."""
    taken = False
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (_PATIENCE,))
            for report, staging in _staged(task, reports):
                table = shared.table_of(connection, publish.SCHEMA, publish.name_of(report))
                loaded_by = report.loaded_by or report.job_id
                if table is None or loaded_by is None:
                    raise psycopg.Rollback
                moment = datetime.fromisoformat(published_at)
                if not shared.is_as_published(connection, publish.SCHEMA, table, report.rows, loaded_by, moment):
                    raise psycopg.Rollback
                if report.suffix is not None:
                    mine = publish.layer_table(task.parameters.table_name, report.suffix)
                    reserve = "SELECT platform.reserve_layer_table(%s, %s, %s)"
                    connection.execute(reserve, (task.claimed.task_id, task.claimed.attempt, mine))
                shared.clear(connection, publish.SCHEMA, staging)
                shared.show(connection, publish.SCHEMA, staging, table, publish.WORKERS)
            connection.execute("SELECT set_config('lock_timeout', '0', true)")
            if not artefacts.use(connection, task, *recipe_of):
                raise psycopg.Rollback
            taken = True
    except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
        task.log.warning("an equal request's table is being written to, or gone")
    return taken


def _staged(task: Task[IngestVectorParameters], reports: Sequence[VectorReport]) -> list[tuple[VectorReport, str]]:
    """Each table, and what stands for it until it is published."""
    mine = reports[0].model_copy(update={"job_id": task.claimed.job_id, "more": list(reports[1:])})
    return [(report, staging) for report, (_, staging) in zip(reports, publish.loaded(mine), strict=True)]
