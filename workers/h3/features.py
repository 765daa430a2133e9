"""The features of a table of geo, near a cell: each is where a point on its surface is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import psycopg
import shapely
from numpy.typing import NDArray
from psycopg import sql

from workers.errors import TaskError
from workers.h3 import cells as h3_cells
from workers.h3.cells import Cells

_AT_A_TIME = 20_000
_NUMBERS = ("smallint", "integer", "bigint", "real", "double precision", "numeric")


@dataclass(frozen=True)
class Batch:
    """Points, and the values of some columns for each; NaN where there is none."""

    longitudes: NDArray[np.float64]
    latitudes: NDArray[np.float64]
    attributes: Sequence[NDArray[np.float64]]

    def cells(self, resolution: int) -> Cells:
        """The cells that they are in."""
        points = zip(self.latitudes.tolist(), self.longitudes.tolist(), strict=True)
        return np.fromiter((h3.latlng_to_cell(lat, lng, resolution) for lat, lng in points), dtype=np.uint64, count=len(self.latitudes))


def geometry_column(connection: psycopg.Connection[Any], table: str, attributes: Sequence[str]) -> str:
    """The geometry of a table; refused where there is none, or a column that is to be added up is no number."""
    row = connection.execute(
        "SELECT c.f_geometry_column FROM public.geometry_columns AS c WHERE c.f_table_schema = 'geo' AND c.f_table_name = %s", (table,)
    ).fetchone()
    if row is None:
        raise TaskError(
            "TABLE_NOT_FOUND", f"There is no table geo.{table} with a geometry", category="user", field="endpoints.table", value=table,
            remediation="Name a table that a vector request has published",
        )  # fmt: skip
    rows = connection.execute(
        "SELECT a.attname FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = %s::regclass AND a.attnum > 0"
        " AND format_type(a.atttypid, NULL) = ANY (%s)",
        (sql.Identifier("geo", table).as_string(connection), list(_NUMBERS)),
    )
    if wrong := sorted(set(attributes) - {row[0] for row in rows}):
        raise TaskError(
            "NOT_A_NUMBER", f"geo.{table} has no numeric column {', '.join(wrong)}", category="user", field="h3.attributes", value=wrong,
            remediation="Name numeric columns of the table, by their names there",
        )  # fmt: skip
    return str(row[0])


def near(
    connection: psycopg.Connection[Any], table: str, column: str, attributes: Sequence[str], parent: int, check: Callable[[], None]
) -> Iterator[Batch]:
    """The features that may be in the cells below a parent, each once."""
    geometry = sql.Identifier(column)
    boxes = h3_cells.surroundings(parent)
    query = sql.SQL(
        "SELECT public.ST_X(p.point), public.ST_Y(p.point) {attributes} FROM {table} AS t"
        " CROSS JOIN LATERAL (SELECT public.ST_PointOnSurface(t.{geometry}) AS point) AS p"
        " WHERE NOT public.ST_IsEmpty(t.{geometry}) AND ({boxes})"
    ).format(
        attributes=sql.SQL("").join(sql.SQL(", t.{}::float8").format(sql.Identifier(one)) for one in attributes),
        table=sql.Identifier("geo", table),
        geometry=geometry,
        boxes=sql.SQL(" OR ").join(
            sql.SQL("t.{} OPERATOR(public.&&) public.ST_MakeEnvelope({}, {}, {}, {}, 4326)").format(
                geometry, *map(sql.Literal, _bounds(box))
            )
            for box in boxes
        ),
    )
    with connection.cursor("h3_features") as cursor:
        cursor.itersize = _AT_A_TIME
        cursor.execute(query)
        while rows := cursor.fetchmany(_AT_A_TIME):
            check()
            columns = [np.array(values, dtype=np.float64) for values in zip(*rows, strict=True)]
            yield Batch(columns[0], columns[1], columns[2:])


def _bounds(box: Any) -> list[float]:
    return [float(one) for one in shapely.bounds(box)]
