"""What was rejected, as files that anybody can open: CSV, and GeoJSON whose features have the attributes and no geometry.

A geometry that could be drawn would not have been rejected for its sake; where it is, the reason says.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from codegen.messages.request import RequestIdentity
from codegen.messages.vector import RejectFile
from workers.context import Task

_PAGE = 1000
_COLUMNS = ("source", "source_row", "code", "reason")

Rejects = Iterator[dict[str, Any]]


def publish(task: Task[Any], connection: psycopg.Connection[Any]) -> list[RejectFile]:
    """Write and publish the files of what the task's job rejected; none where nothing is kept of it."""
    if next(_rejects(task, connection), None) is None:
        return []
    return [
        _file(task, "rejects.csv", "text/csv", lambda path: _write_csv(path, _rejects(task, connection))),
        _file(task, "rejects.geojson", "application/geo+json", lambda path: _write_geojson(path, _rejects(task, connection))),
    ]


def _file(task: Task[Any], name: str, media_type: str, write: Callable[[Path], None]) -> RejectFile:
    identity: RequestIdentity = task.parameters
    key = f"{identity.client_id}/{identity.request_id}/r{identity.revision}/{name}"
    attempt = task.storage.attempt_path(key, task.claimed.task_id, task.claimed.attempt)
    try:
        write(attempt)
        size = attempt.stat().st_size
        return RejectFile(href=task.storage.publish(attempt, key), media_type=media_type, size=size)
    finally:
        attempt.unlink(missing_ok=True)


def _rejects(task: Task[Any], connection: psycopg.Connection[Any]) -> Rejects:
    after = 0
    with connection.cursor(row_factory=dict_row) as cursor:
        while True:
            task.check()
            arguments = (task.claimed.task_id, task.claimed.attempt, after, _PAGE)
            page = cursor.execute("SELECT * FROM platform.recorded_rejects(%s, %s, %s, %s)", arguments).fetchall()
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]["reject_id"]


def _write_csv(path: Path, rejects: Rejects) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, "properties"])
        for reject in rejects:
            properties = reject["properties"]
            told = "" if properties is None else json.dumps(properties, ensure_ascii=False)
            writer.writerow([*(reject[name] for name in _COLUMNS), told])


def _write_geojson(path: Path, rejects: Rejects) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, reject in enumerate(rejects):
            # Ours last: an attribute may be called reason, too.
            properties = (reject["properties"] or {}) | {f"reject_{name}": reject[name] for name in _COLUMNS}
            feature = {"type": "Feature", "geometry": None, "properties": properties}
            file.write(("," if number else "") + "\n" + json.dumps(feature, ensure_ascii=False))
        file.write("\n]}\n")
