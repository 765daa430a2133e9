"""The tasks of `bootstrap_h3_grid`: seed keeps the filter and chooses parents, load makes the cells below one parent, finalise counts.

Each does its work and its completion in one transaction; a reader sees nothing of a grid before finalise has committed.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from codegen.messages.h3 import BootstrapGridParameters, GridReport, GridSeed, PartOfGrid
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.h3 import cells, grid_filter, grid_rows
from workers.identity import software_version
from workers.registry import handles

SEED, LOAD = 1, 2
_DEPTH = 5
"""From parent to finest cell, at most: 7^5 = 16 807 cells are a task's, and all that a worker holds at a time."""


@handles("h3_grid_seed", BootstrapGridParameters)
def seed(task: Task[BootstrapGridParameters]) -> Completed:
    """Keep what the grid is cut by, and choose the parents that have some of it in or near them."""
    asked = task.parameters
    finest, coarsest = max(asked.resolutions), min(asked.resolutions)
    resolution = min(coarsest, max(0, finest - _DEPTH))
    with task.effects() as effects:
        connection = effects.connection
        if _is_made(connection, asked.grid_id, task.claimed.job_id):
            return effects.complete(GridSeed(parents=[], parent_resolution=resolution).model_dump())
        parts = grid_filter.keep(connection, asked.grid_id, asked.filter, task.claimed.job_id, resolution)
        everywhere = parts == 0 or asked.outside == "mark"
        parents = []
        for base in cells.of_resolution(0):
            task.check()
            below = cells.children(base, resolution).tolist()
            if not everywhere:
                boxes = [(parent, box) for parent in below for box in cells.surroundings(parent)]
                below = grid_filter.touching(connection, asked.grid_id, boxes)
            parents += below
        parents.sort()
        connection.execute("UPDATE h3.reference_filters SET cells = %s WHERE filter_name = %s", (parents, asked.grid_id))
        connection.cursor().executemany(
            "INSERT INTO h3.grid_metadata (grid_id, resolution, description, filter_name, containment, parent_resolution, has_geometry,"
            " source_job_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    asked.grid_id,
                    one,
                    asked.description,
                    asked.grid_id,
                    asked.containment,
                    resolution,
                    asked.with_geometry,
                    task.claimed.job_id,
                )
                for one in sorted(set(asked.resolutions))
            ],
        )
        return effects.complete(GridSeed(parents=[cells.text(one) for one in parents], parent_resolution=resolution).model_dump())


@handles("h3_grid_load", BootstrapGridParameters)
def load(task: Task[BootstrapGridParameters]) -> Completed:
    """Make the cells below one parent."""
    asked, parent = task.parameters, cells.number(str(task.item))
    boxes = cells.surroundings(parent)
    made = {}
    with task.effects() as effects:
        connection = effects.connection
        shapes = boxes if asked.filter.kind == "world" else [grid_filter.inside(connection, asked.grid_id, box) for box in boxes]
        for resolution in sorted(set(asked.resolutions)):
            task.check()
            found = cells.within(parent, resolution, boxes, shapes, asked.containment)
            kept = cells.children(parent, resolution) if asked.outside == "mark" else found
            # A retry that an operator started may find what was made before.
            connection.execute(
                "DELETE FROM h3.grids AS g WHERE g.grid_id = %(grid)s AND g.resolution = %(resolution)s"
                " AND g.cell BETWEEN h3.first_child(%(parent)s, %(resolution)s) AND h3.last_child(%(parent)s, %(resolution)s)",
                {"grid": asked.grid_id, "resolution": resolution, "parent": parent},
            )
            if len(kept):
                grid_rows.copy(connection, asked.grid_id, resolution, kept, found, with_geometry=asked.with_geometry)
                made[str(resolution)] = PartOfGrid(cells=len(kept), in_filter=len(found), digest=cells.digest(kept)).model_dump()
        return effects.complete({"parent": str(task.item), "made": made})


@handles("h3_grid_finalise", BootstrapGridParameters)
def finalise(task: Task[BootstrapGridParameters]) -> Completed:
    """Compare what lies in the table with what the tasks say they made, and show the grid."""
    asked = task.parameters
    resolution = GridSeed.model_validate(task.results(SEED)[0].result_data).parent_resolution
    # In the order of parents, which is that of their ids.
    parts = [result.result_data or {} for result in task.results(LOAD)]
    reports: dict[str, Any] = {}
    with task.effects() as effects:
        connection = effects.connection
        if not parts:
            return effects.complete({"grid_id": asked.grid_id, "resolutions": _reported(connection, asked.grid_id)})
        for one in sorted(set(asked.resolutions)):
            task.check()
            made = [PartOfGrid.model_validate(part["made"][str(one)]) for part in parts if str(one) in part["made"]]
            report = GridReport(
                cells=sum(part.cells for part in made),
                in_filter=sum(part.in_filter for part in made),
                checksum=cells.checksum([part.digest for part in made]),
            )
            [found] = connection.execute(
                "SELECT count(*), count(*) FILTER (WHERE g.in_filter), h3.grid_checksum(%(grid)s, %(resolution)s, %(parent)s)"
                "  FROM h3.grids AS g WHERE g.grid_id = %(grid)s AND g.resolution = %(resolution)s",
                {"grid": asked.grid_id, "resolution": one, "parent": resolution},
            ).fetchall()
            if found != (report.cells, report.in_filter, report.checksum):
                raise TaskError(
                    "COUNTS_DIFFER", f"Tasks made {report.cells} cells of resolution {one}, and {found[0]} others or other ones are there",
                    category="system", remediation="Remove the grid with h3.drop_grid and make it again; report it if it happens again",
                )  # fmt: skip
            connection.execute(
                "UPDATE h3.grid_metadata SET status = 'completed', cell_count = %s, filter_cell_count = %s, checksum = %s, library = %s,"
                " processing_metadata = %s, completed_at = clock_timestamp() WHERE grid_id = %s AND resolution = %s",
                (
                    *found, cells.library(), Jsonb({"tasks": len(parts), "software": {"geomill": software_version()}}),
                    asked.grid_id, one,
                ),
            )  # fmt: skip
            reports[str(one)] = report.model_dump()
        return effects.complete({"grid_id": asked.grid_id, "library": cells.library(), "resolutions": reports})


def _is_made(connection: psycopg.Connection[Any], grid_id: str, job_id: str) -> bool:
    """Whether this very work has been done, by a job that is gone with its schema; half done, it is taken away. Another's is refused."""
    rows = connection.execute("SELECT source_job_id, status FROM h3.grid_metadata WHERE grid_id = %s FOR UPDATE", (grid_id,)).fetchall()
    if any(made_by != job_id for made_by, _ in rows):
        raise TaskError(
            "GRID_EXISTS", f"There is a grid {grid_id}, made by another job", category="user", field="grid_id", value=grid_id,
            remediation=f"Choose another name, or remove that one: SELECT h3.drop_grid('{grid_id}')",
        )  # fmt: skip
    if rows and all(status == "completed" for _, status in rows):
        return True
    connection.execute("DELETE FROM h3.grid_metadata WHERE grid_id = %s", (grid_id,))
    connection.execute("DELETE FROM h3.reference_filters WHERE filter_name = %s", (grid_id,))
    return False


def _reported(connection: psycopg.Connection[Any], grid_id: str) -> dict[str, Any]:
    rows = connection.execute(
        "SELECT resolution, cell_count, filter_cell_count, checksum FROM h3.grid_metadata WHERE grid_id = %s ORDER BY resolution",
        (grid_id,),
    )
    return {str(row[0]): GridReport(cells=row[1], in_filter=row[2], checksum=row[3]).model_dump() for row in rows}
