"""What a grid is cut by, kept in h3.reference_filters and h3.filter_parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
import shapely
from psycopg import sql
from psycopg.types.json import Jsonb

from codegen.messages.h3 import GridFilter
from workers.errors import TaskError
from workers.h3 import natural_earth, overlay

_MOST_CORNERS = 256
"""Of a part: small enough that looking one up reads little more than what lies there."""

# A valid polygon for each part, whatever came in; parts of no area are left out.
_KEEP = sql.SQL("""
    INSERT INTO h3.filter_parts (filter_name, part, geom)
    SELECT %(name)s, row_number() OVER (), s.geom
      FROM ({shapes}) AS f (geom)
     CROSS JOIN LATERAL public.ST_Dump(public.ST_CollectionExtract(public.ST_MakeValid(public.ST_Force2D(f.geom)), 3)) AS d
     CROSS JOIN LATERAL public.ST_Subdivide(d.geom, {corners}) AS s (geom)
     WHERE public.GeometryType(s.geom) = 'POLYGON' AND public.ST_Area(s.geom) > 0
""")
_FROM_WKB = sql.SQL("SELECT public.ST_GeomFromWKB(w, 4326) FROM unnest(%(shapes)s::bytea[]) AS w")


def keep(connection: psycopg.Connection[Any], name: str, wanted: GridFilter, job_id: str, resolution: int) -> int:
    """Store the filter's geometry under the grid's name; returns the number of parts, 0 for the whole world."""
    _require(wanted)
    connection.execute(
        "INSERT INTO h3.reference_filters (filter_name, description, definition, provenance, resolution, cells, part_count, source_job_id)"
        " VALUES (%s, %s, %s, %s, %s, '{}', 0, %s)",
        (name, _said(wanted), Jsonb(wanted.model_dump()), Jsonb(_provenance(connection, wanted)), resolution, job_id),
    )
    if wanted.kind == "world":
        return 0
    shapes, values = _shapes(connection, wanted)
    kept = connection.execute(_KEEP.format(shapes=shapes, corners=sql.Literal(_MOST_CORNERS)), {"name": name, **values}).rowcount
    if kept == 0:
        raise TaskError(
            "FILTER_EMPTY", f"The filter has no area: {_said(wanted)}", category="user", field="filter",
            remediation="Name something with polygons",
        )  # fmt: skip
    connection.execute(
        "UPDATE h3.reference_filters SET part_count = %(kept)s,"
        " extent = (SELECT public.ST_SetSRID(public.ST_Extent(p.geom)::public.geometry, 4326)"
        " FROM h3.filter_parts AS p WHERE p.filter_name = %(name)s)"
        " WHERE filter_name = %(name)s",
        {"kept": kept, "name": name},
    )
    return kept


def touching(connection: psycopg.Connection[Any], name: str, boxes: Sequence[tuple[int, Any]]) -> list[int]:
    """Of cells with their surrounding boxes, those that have some of the filter in one."""
    rows = connection.execute(
        "SELECT DISTINCT b.cell FROM unnest(%s::bigint[], %s::bytea[]) AS u (cell, box)"
        " CROSS JOIN LATERAL (SELECT u.cell, public.ST_GeomFromWKB(u.box, 4326) AS geom) AS b"
        " WHERE EXISTS (SELECT FROM h3.filter_parts AS p WHERE p.filter_name = %s AND public.ST_Intersects(p.geom, b.geom)) ORDER BY 1",
        ([cell for cell, _ in boxes], [shapely.to_wkb(box) for _, box in boxes], name),
    )
    return [row[0] for row in rows]


def inside(connection: psycopg.Connection[Any], name: str, box: Any) -> Any:
    """What of the filter lies in a box, as one shape; None where nothing does."""
    west, south, east, north = box.bounds
    rows = connection.execute(
        "SELECT public.ST_AsBinary(p.geom) FROM h3.filter_parts AS p"
        " WHERE p.filter_name = %s AND p.geom OPERATOR(public.&&) public.ST_MakeEnvelope(%s, %s, %s, %s, 4326)",
        (name, west, south, east, north),
    ).fetchall()
    # One shape, so that no cell is cut by the edge between two parts.
    found = overlay.united(overlay.clipped(shapely.from_wkb(np.array([bytes(row[0]) for row in rows], dtype=object)), box))
    return None if shapely.area(found) == 0 else found


def _require(wanted: GridFilter) -> None:
    """Refuse what a kind needs and lacks, or does not take."""
    given = {"countries": bool(wanted.countries), "bbox": bool(wanted.bbox), "table": wanted.table is not None}
    for key, is_given in given.items():
        if is_given != (wanted.kind == key):
            raise TaskError(
                "FILTER_INCOMPLETE" if wanted.kind == key else "FILTER_AMBIGUOUS",
                f"A filter of kind {wanted.kind} {'needs' if wanted.kind == key else 'takes no'} {key}", category="user",
                field=f"filter.{key}", remediation=f"Give {key} with the kind {key}, and nothing else",
            )  # fmt: skip
    if wanted.bbox:
        box = wanted.bbox
        if len(box) != 4 or not (-90 <= box[1] < box[3] <= 90) or not all(-180 <= x <= 180 for x in (box[0], box[2])) or box[0] == box[2]:
            raise TaskError(
                "BBOX_MALFORMED", f"{box} is no bounding box", category="user", field="filter.bbox", value=box,
                remediation="Give west, south, east, north in degrees",
            )  # fmt: skip


def _shapes(connection: psycopg.Connection[Any], wanted: GridFilter) -> tuple[sql.Composable, dict[str, Any]]:
    if wanted.kind == "table":
        return sql.SQL("SELECT t.{column} FROM {table} AS t WHERE t.{column} IS NOT NULL").format(
            column=sql.Identifier(_geometry_column(connection, wanted.table or "")), table=sql.Identifier("geo", wanted.table or "")
        ), {}
    if wanted.kind == "bbox":
        west, south, east, north = wanted.bbox
        spans = [(west, east)] if west < east else [(west, 180.0), (-180.0, east)]
        return _FROM_WKB, {"shapes": [shapely.to_wkb(shapely.box(a, south, b, north)) for a, b in spans if a < b]}
    return _FROM_WKB, {"shapes": natural_earth.countries(wanted.countries if wanted.kind == "countries" else None)}


def _geometry_column(connection: psycopg.Connection[Any], table: str) -> str:
    row = connection.execute(
        "SELECT c.f_geometry_column FROM public.geometry_columns AS c WHERE c.f_table_schema = 'geo' AND c.f_table_name = %s", (table,)
    ).fetchone()
    if row is None:
        raise TaskError(
            "FILTER_TABLE_NOT_FOUND", f"There is no table geo.{table} with a geometry", category="user", field="filter.table", value=table,
            remediation="Name a table that a vector request has published",
        )  # fmt: skip
    return str(row[0])


def _provenance(connection: psycopg.Connection[Any], wanted: GridFilter) -> dict[str, Any]:
    if wanted.kind in ("natural_earth", "countries"):
        return natural_earth.provenance()
    if wanted.kind == "table":
        row = connection.execute(
            sql.SQL("SELECT obj_description({}::regclass, 'pg_class')").format(sql.Literal(f'geo."{wanted.table}"'))
        ).fetchone() if _geometry_column(connection, wanted.table or "") else None  # fmt: skip
        return {"source": f"geo.{wanted.table}", "comment": row[0] if row else None}
    return {"source": "the request"}


def _said(wanted: GridFilter) -> str:
    match wanted.kind:
        case "natural_earth":
            return "Land, after Natural Earth at 1:110 million"
        case "countries":
            return f"{', '.join(wanted.countries)}, after Natural Earth at 1:110 million"
        case "bbox":
            return f"The box {wanted.bbox}"
        case "table":
            return f"The polygons of geo.{wanted.table}"
    return "The whole world"
