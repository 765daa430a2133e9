"""Rows of h3.grids, by COPY: a grid's rows are all of one length, so that they are one array of bytes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import psycopg
import shapely

from workers.h3 import cells as h3_cells
from workers.h3.cells import Cells

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)


def copy(
    connection: psycopg.Connection[Any], grid_id: str, resolution: int, cells: Cells, in_filter: Cells, *, with_geometry: bool
) -> None:
    """Write cells of one resolution, in order; `in_filter` says which of them are in it."""
    marked = h3_cells.among(cells, in_filter)
    with connection.cursor() as cursor:
        if not with_geometry:
            with cursor.copy("COPY h3.grids (grid_id, resolution, cell, in_filter) FROM STDIN (FORMAT BINARY)") as copying:
                copying.write(_HEADER + _rows(grid_id, resolution, cells, marked) + _TRAILER)
            return
        with cursor.copy("COPY h3.grids (grid_id, resolution, cell, in_filter, geom) FROM STDIN (FORMAT BINARY)") as copying:
            # An EWKB is what a geometry reads in binary.
            copying.set_types(["varchar", "int2", "int8", "bool", "bytea"])
            for cell, is_marked in zip(cells.tolist(), marked.tolist(), strict=True):
                geometry = shapely.to_wkb(shapely.set_srid(h3_cells.shape(cell), 4326), include_srid=True)
                copying.write_row((grid_id, resolution, cell, is_marked, geometry))


def _rows(grid_id: str, resolution: int, cells: Cells, marked: Any) -> bytes:
    name = grid_id.encode()
    rows = np.zeros(
        len(cells),
        dtype=[
            ("fields", ">i2"), ("name_length", ">i4"), ("name", f"S{len(name)}"), ("resolution_length", ">i4"), ("resolution", ">i2"),
            ("cell_length", ">i4"), ("cell", ">i8"), ("marked_length", ">i4"), ("marked", "u1"),
        ],
    )  # fmt: skip
    rows["fields"], rows["name_length"], rows["name"] = 4, len(name), name
    rows["resolution_length"], rows["resolution"] = 2, resolution
    rows["cell_length"], rows["cell"] = 8, cells.astype(np.int64)
    rows["marked_length"], rows["marked"] = 1, marked
    return rows.tobytes()
