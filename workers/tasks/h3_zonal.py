"""The tasks of `h3_zonal_statistics`: plan finds the data and chooses parents, measure adds up below one, publish rolls up and shows.

Each does its work and its completion in one transaction. A cell is below one parent, so that no two tasks write the same row; and
nothing of it shows before publish has committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import psycopg
import rasterio
from psycopg.types.json import Jsonb

from codegen.messages.h3 import ZonalParameters, ZonalPart, ZonalPlan
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.h3 import cells, features, zones
from workers.h3.cells import Cells
from workers.h3.sums import Categories, Sums
from workers.identity import software_version
from workers.registry import handles

PLAN, MEASURE = 1, 2
KEY_PARTS = 4
"""client, request, revision and name: the end of an artefact's URL, whatever it begins with."""

_DEPTH = 4
"""From parent to cell, of features: few enough cells to hold, and enough to be worth a task."""

Measured = tuple[list[Sums], list[Categories]]


@handles("h3_zonal_plan", ZonalParameters)
def plan(task: Task[ZonalParameters]) -> Completed:
    """Find the data, and the parents that have both some of it and cells of the grid."""
    asked = task.parameters
    wanted, table, keys = asked.h3, _table(asked), _keys(asked)
    if (table is None) == (not keys):
        raise _refused("NOTHING_TO_MEASURE", "endpoints names neither a table nor rasters, or both", "endpoints", asked.endpoints,
                       "Give table, or cog")  # fmt: skip
    if wanted.coarsest_resolution is not None and wanted.coarsest_resolution > wanted.resolution:
        raise _refused("COARSEST_TOO_FINE", f"{wanted.coarsest_resolution} is finer than {wanted.resolution}", "h3.coarsest_resolution",
                       wanted.coarsest_resolution, "Give a resolution that is not finer than the measured one")  # fmt: skip
    with task.effects() as effects:
        connection = effects.connection
        _require_grid(connection, asked)
        if table is not None:
            name = table.removeprefix("geo.")
            column = features.geometry_column(connection, name, wanted.attributes)
            variables: list[dict[str, Any]] = [{"name": "features", "kind": "features"}]
            variables += [{"name": one, "kind": "values", "column": one} for one in wanted.attributes]
            near = _parents_of_grid(connection, asked, max(0, wanted.resolution - _DEPTH))
            decided = ZonalPlan(run_id=0, parents=[], table=name, geometry_column=column)
        else:
            variables, bands, near = _look_at(task, keys)
            decided = ZonalPlan(run_id=0, parents=[], keys=keys, bands=bands)
        rows = connection.execute(
            "SELECT p FROM unnest(%s::bigint[]) AS p WHERE EXISTS (SELECT FROM h3.grids AS g WHERE g.grid_id = %s AND g.resolution = %s"
            " AND g.cell BETWEEN h3.first_child(p, %s) AND h3.last_child(p, %s)) ORDER BY p",
            (near, wanted.grid_id, wanted.resolution, wanted.resolution, wanted.resolution),
        )
        parents = [cells.text(row[0]) for row in rows]
        run_id = _begin(connection, task, variables, "raster" if keys else "table")
        _require_same_source(connection, asked, run_id)
        return effects.complete(decided.model_copy(update={"run_id": run_id, "parents": parents}).model_dump())


@handles("h3_zonal_measure", ZonalParameters)
def measure(task: Task[ZonalParameters]) -> Completed:
    """Add up what lies in the cells below one parent."""
    wanted, parent, decided = task.parameters.h3, cells.number(str(task.item)), _plan(task)
    with task.effects() as effects:
        connection = effects.connection
        rows = connection.execute(
            "SELECT g.cell FROM h3.grids AS g WHERE g.grid_id = %s AND g.resolution = %s"
            " AND g.cell BETWEEN h3.first_child(%s, g.resolution) AND h3.last_child(%s, g.resolution) ORDER BY g.cell",
            (wanted.grid_id, wanted.resolution, parent, parent),
        )
        own = np.array([row[0] for row in rows], dtype=np.uint64)
        if decided.table is not None:
            values, categories = _of_table(task, connection, decided, own, parent)
        else:
            values, categories = _of_rasters(task, decided, own)
        return effects.complete(_write(connection, decided.run_id, own, values, categories).model_dump())


@handles("h3_zonal_publish", ZonalParameters)
def publish(task: Task[ZonalParameters]) -> Completed:
    """Compare what lies in the tables with what the tasks say, roll it up, and show it in place of the version before."""
    asked, decided = task.parameters, _plan(task)
    parts = [ZonalPart.model_validate(result.result_data) for result in task.results(MEASURE)]
    rows, categories = sum(part.rows for part in parts), sum(part.categories for part in parts)
    with task.effects() as effects:
        connection = effects.connection
        _require_same_source(connection, asked, decided.run_id)
        [found] = connection.execute(
            "SELECT (SELECT count(*) FROM h3.zonal_statistics AS s WHERE s.run_id = %(run)s AND h3.resolution(s.cell) = %(resolution)s),"
            " (SELECT count(*) FROM h3.zonal_categories AS c WHERE c.run_id = %(run)s AND h3.resolution(c.cell) = %(resolution)s)",
            {"run": decided.run_id, "resolution": asked.h3.resolution},
        ).fetchall()
        if found != (rows, categories):
            raise TaskError(
                "COUNTS_DIFFER", f"Tasks wrote {rows} and {categories} rows, and {found[0]} and {found[1]} are there", category="system",
                remediation="Retry the job; report it if it happens again",
            )  # fmt: skip
        if rows == 0:
            raise _refused("NOTHING_IN_THE_GRID", f"The data has nothing in grid {asked.h3.grid_id}", "h3.grid_id", asked.h3.grid_id,
                           "Choose a grid that lies where the data does")  # fmt: skip
        [(coarser,)] = connection.execute("SELECT h3.roll_up(%s)", (decided.run_id,)).fetchall()
        [(measured,)] = connection.execute("SELECT h3.publish_run(%s)", (decided.run_id,)).fetchall()
        told = {"dataset_id": _dataset(asked), "grid_id": asked.h3.grid_id, "resolution": asked.h3.resolution, "cells": measured}
        metadata = {"tasks": len(parts), "counted": sum(part.counted for part in parts), "coarser_rows": coarser}
        connection.execute(
            "UPDATE h3.zonal_runs SET processing_metadata = processing_metadata || %s WHERE run_id = %s",
            (Jsonb(metadata), decided.run_id),
        )
        return effects.complete({"endpoints": {"h3": {"view": "h3.statistics", **told}}, "h3": told | metadata, "warnings": []})


def _table(asked: ZonalParameters) -> str | None:
    """The table that is named, if one is; of several, one for each layer of a file, which is meant is not said."""
    named = asked.endpoints.get("table") or []
    tables = named if isinstance(named, list) else [named]
    if len(tables) > 1:
        raise _refused("SEVERAL_TABLES", f"The request has published {len(tables)} tables", "endpoints.table", tables,
                       "Publish the layer that is to be measured by a request of its own")  # fmt: skip
    return str(tables[0]) if tables else None


def _keys(asked: ZonalParameters) -> list[str]:
    """The rasters' keys in the storage: the ends of their URLs."""
    named = asked.endpoints.get("cog") or []
    urls = named if isinstance(named, list) else [named]
    return ["/".join(unquote(urlsplit(str(url)).path).split("/")[-KEY_PARTS:]) for url in urls]


def _look_at(task: Task[ZonalParameters], keys: list[str]) -> tuple[list[dict[str, Any]], list[int], list[int]]:
    """The variables and bands of rasters, and the parents near them; what does not go together is refused."""
    wanted = task.parameters.h3
    resolution, near, count, names = 0, set[int](), None, list[str | None]()
    for key in keys:
        task.check()
        with _raster(task, key) as dataset:
            if count is not None and dataset.count != count:
                raise _refused("BANDS_DIFFER", f"{key} has {dataset.count} bands, the first raster {count}", "h3.bands", wanted.bands,
                               "Name bands that all have, or measure them one by one")  # fmt: skip
            count, names = dataset.count, list(dataset.descriptions)
            chosen, found = zones.parents_of(dataset, wanted.resolution, wanted.resolution)
            finest = max(resolution, chosen)
            near = {child for parent in near for child in cells.children(parent, finest).tolist()} if finest > resolution else near
            near |= {child for parent in found for child in cells.children(parent, finest).tolist()}
            resolution = finest
    bands = wanted.bands or list(range(1, (count or 0) + 1))
    if wrong := [band for band in bands if band > (count or 0)]:
        raise _refused("NO_SUCH_BAND", f"There are {count} bands, and no {wrong[0]}", "h3.bands", bands, "Name bands that are there")
    variables = [
        {"name": names[band - 1] or f"b{band}", "kind": "categories" if wanted.categories else "values", "band": band} for band in bands
    ]
    return variables, bands, sorted(near)


def _of_rasters(task: Task[ZonalParameters], decided: ZonalPlan, own: Cells) -> Measured:
    wanted = task.parameters.h3
    values = [Sums(len(own)) for _ in decided.bands]
    categories = [Categories(len(own), f"band {band}") for band in decided.bands] if wanted.categories else []
    for key in decided.keys:
        with _raster(task, key) as dataset:
            for share in zones.Zones(dataset, own, wanted.resolution).shares(wanted.weighting, task.check):
                for place, band in enumerate(decided.bands):
                    pixels = dataset.read(band, window=share.window).ravel()[share.pixels]
                    known = dataset.read_masks(band, window=share.window).ravel()[share.pixels] > 0
                    known &= np.isfinite(pixels)
                    values[place].add(share.zones, pixels, share.weights, known)
                    if categories:
                        categories[place].add(share.zones, pixels, share.weights, known)
    return values, categories


def _of_table(task: Task[ZonalParameters], connection: psycopg.Connection[Any], decided: ZonalPlan, own: Cells, parent: int) -> Measured:
    wanted = task.parameters.h3
    values = [Sums(len(own)) for _ in range(1 + len(wanted.attributes))]
    for batch in features.near(connection, decided.table or "", decided.geometry_column or "", wanted.attributes, parent, task.check):
        at = zones.positions(own, batch.cells(wanted.resolution))
        inside = at >= 0
        values[0].count(at[inside])
        for sums, column in zip(values[1:], batch.attributes, strict=True):
            sums.add(at[inside], column[inside], None, np.isfinite(column[inside]))
    return values, []


def _write(connection: psycopg.Connection[Any], run_id: int, own: Cells, values: list[Sums], categories: list[Categories]) -> ZonalPart:
    """INSERT by arrays: COPY does not go together with row-level security."""
    numbers = own.astype(np.int64).tolist()
    written = counted = kinds = 0
    # A retry that an operator started may find what was measured before.
    connection.execute("DELETE FROM h3.zonal_statistics AS s WHERE s.run_id = %s AND s.cell = ANY (%s)", (run_id, numbers))
    for variable, sums in enumerate(values, start=1):
        rows = list(sums.rows())
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(7)]
        columns[0] = [numbers[place] for place in columns[0]]
        connection.execute(
            "INSERT INTO h3.zonal_statistics (run_id, variable, cell, count, sum, sum_squares, minimum, maximum, nodata_count)"
            " SELECT %s, %s, u.* FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],"
            " %s::float8[]) AS u",
            (run_id, variable, *columns),
        )
        written += len(rows)
        counted += round(sum(columns[1]) + sum(columns[6])) if variable == 1 else 0
    connection.execute("DELETE FROM h3.zonal_categories AS c WHERE c.run_id = %s AND c.cell = ANY (%s)", (run_id, numbers))
    for variable, found in enumerate(categories, start=1):
        met = list(found.rows())
        connection.execute(
            "INSERT INTO h3.zonal_categories (run_id, variable, cell, category, count)"
            " SELECT %s, %s, u.* FROM unnest(%s::bigint[], %s::float8[], %s::float8[]) AS u",
            (run_id, variable, [numbers[row[0]] for row in met], [row[1] for row in met], [row[2] for row in met]),
        )
        kinds += len(met)
    return ZonalPart(rows=written, categories=kinds, counted=counted)


@contextmanager
def _raster(task: Task[ZonalParameters], key: str) -> Iterator[Any]:
    try:
        path = task.storage.path(key)
    except ValueError as error:
        raise _refused(
            "NOT_AN_ARTEFACT", f"{key} is no key of the storage", "endpoints", key, "Name what a request has published"
        ) from error
    if not path.is_file():
        raise _refused("ARTEFACT_GONE", f"There is no raster {key} in the storage", "endpoints", key, "Name what a request has published")
    with rasterio.open(path) as dataset:
        if dataset.crs is None or dataset.transform.b or dataset.transform.d or dataset.transform.a <= 0 or dataset.transform.e >= 0:
            raise _refused("NOT_NORTH_UP", f"{key} is not a raster with a CRS and north up", "endpoints", key, "Publish it as a COG first")
        yield dataset


def _require_grid(connection: psycopg.Connection[Any], asked: ZonalParameters) -> None:
    row = connection.execute(
        "SELECT m.status FROM h3.grid_metadata AS m WHERE m.grid_id = %s AND m.resolution = %s", (asked.h3.grid_id, asked.h3.resolution)
    ).fetchone()
    if row is None or row[0] != "completed":
        raise _refused("GRID_NOT_FOUND", f"There is no complete grid {asked.h3.grid_id} of resolution {asked.h3.resolution}", "h3.grid_id",
                       asked.h3.grid_id, "See h3.grid_metadata; an operator makes grids by the job bootstrap_h3_grid")  # fmt: skip


def _parents_of_grid(connection: psycopg.Connection[Any], asked: ZonalParameters, resolution: int) -> list[int]:
    rows = connection.execute(
        "SELECT DISTINCT c FROM h3.grid_metadata AS m JOIN h3.reference_filters AS f ON f.filter_name = m.filter_name"
        " CROSS JOIN LATERAL unnest(f.cells) AS u (cell)"
        " CROSS JOIN LATERAL h3.children(h3.parent(u.cell, least(%(resolution)s, f.resolution)), %(resolution)s) AS c"
        " WHERE m.grid_id = %(grid)s AND m.resolution = %(measured)s",
        {"resolution": resolution, "grid": asked.h3.grid_id, "measured": asked.h3.resolution},
    )
    return [row[0] for row in rows]


def _require_same_source(connection: psycopg.Connection[Any], asked: ZonalParameters, run_id: int) -> None:
    """A table that was replaced meanwhile is measured in part as it was, and in part as it is.

    (Workers before noted no revision, or none of a request that is measured itself.)
    """
    row = connection.execute(
        "SELECT r.run_id IS NULL, (r.processing_metadata ->> 'source_revision')::integer, n.revision"
        " FROM platform.measured_revision(%s) AS n (revision) LEFT JOIN h3.zonal_runs AS r ON r.run_id = %s",
        (asked.request_id, run_id),
    ).fetchone()
    assert row is not None  # noqa: S101 (an outer join)
    is_withdrawn, noted, shown = row
    if is_withdrawn or (noted is not None and noted != shown):
        raise TaskError(
            "SOURCE_REPLACED", f"What is measured was replaced meanwhile: revision {noted or asked.revision} by {shown or 'nothing'}",
            category="user", field="source_path", value=shown,
            remediation="Retry the request, which measures what shows now; what follows a request is measured anew with its new revision,"
            " or by platform.request_statistics",
        )  # fmt: skip


def _follows(asked: ZonalParameters) -> bool:
    """Whether a request is measured for its own sake: one of statistics names the dataset, and an operator has no request."""
    return asked.request_id is not None and asked.dataset is None


def _begin(connection: psycopg.Connection[Any], task: Task[ZonalParameters], variables: list[dict[str, Any]], kind: str) -> int:
    """The row of this measurement, made anew: a version of its own. Of two at once one is refused by the key, and tried again."""
    asked, dataset = task.parameters, _dataset(task.parameters)
    connection.execute("DELETE FROM h3.zonal_runs AS r WHERE r.source_job_id = %s", (task.claimed.job_id,))
    row = connection.execute(
        "INSERT INTO h3.zonal_runs (dataset_id, grid_id, version, resolution, coarsest_resolution, source_kind, weighting, variables,"
        " client_role, request_id, revision, stac_collection_id, stac_item_id,"
        " processing_metadata, source_job_id)"
        " SELECT v.*, %(role)s, %(request)s::text, %(revision)s, %(collection)s, %(item)s,"
        " %(metadata)s || jsonb_build_object('source_revision', coalesce(%(measured)s::integer,"
        " platform.measured_revision(%(request)s::text))), %(job)s"
        " FROM (SELECT %(dataset)s::text AS dataset, %(grid)s::text AS grid,"
        " (SELECT coalesce(max(r.version), 0) + 1 FROM h3.zonal_runs AS r WHERE r.dataset_id = %(dataset)s AND r.grid_id = %(grid)s),"
        " %(resolution)s::smallint, %(coarsest)s::smallint, %(kind)s::text, %(weighting)s::text, %(variables)s::jsonb) AS v"
        " RETURNING run_id",
        {
            "dataset": dataset, "grid": asked.h3.grid_id, "revision": asked.revision, "resolution": asked.h3.resolution,
            "coarsest": asked.h3.resolution if asked.h3.coarsest_resolution is None else asked.h3.coarsest_resolution, "kind": kind,
            "weighting": asked.h3.weighting, "variables": Jsonb(variables), "role": asked.client_role, "request": asked.request_id,
            "measured": asked.revision if _follows(asked) else None,
            "collection": asked.stac_collection, "item": asked.stac_item_id, "job": task.claimed.job_id,
            "metadata": Jsonb({"source": asked.endpoints, "library": cells.library(), "software": {"geomill": software_version()}}),
        },
    ).fetchone()  # fmt: skip
    assert row is not None  # noqa: S101 (RETURNING)
    return int(row[0])


def _dataset(asked: ZonalParameters) -> str:
    if asked.dataset is not None:
        return asked.dataset
    if asked.client_id is None or asked.stac_item_id is None:
        raise _refused("DATASET_UNNAMED", "The measurement has no name", "dataset", None, "Give dataset")
    return f"{asked.client_id}/{asked.stac_item_id}"


def _plan(task: Task[ZonalParameters]) -> ZonalPlan:
    return ZonalPlan.model_validate(task.results(PLAN)[0].result_data)


def _refused(code: str, message: str, field: str, value: Any, remedy: str) -> TaskError:
    return TaskError(code, message, category="user", field=field, value=value, remediation=remedy)
