"""Rows into a table: COPY into staging, then one set-based INSERT … SELECT that parses, repairs, transforms and sorts out.

The geometry travels as WKB in a bytea, because COPY into a geometry column accepts what later reads choke on. The statement
is written for good rows. Where a row makes it fail, it is undone, each row is tried alone by geo.geometry_problem, which
traps, and the statement runs again without those that cannot be used.

Guarantees: read = inserted + rejected; everything in the caller's transaction; temporary tables go with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from codegen.messages.vector import ChunkReport
from workers.errors import is_transient
from workers.geo_table import ColumnType, TableColumn
from workers.vector import copying
from workers.vector.batches import Batch, Reject
from workers.vector.crs import DEGREES, TableCrs
from workers.vector.wkb import Kinds

# Names of our own are upper case: columns of a table are lower case, and cannot be the same.
BATCH = sql.Identifier("pg_temp", "vector_batch")
REJECTED = sql.Identifier("pg_temp", "vector_rejected")

REJECTED_ROWS = sql.SQL("""
    (SELECT x."ROW", x.code, x.reason, to_jsonb(b) - 'ROW' - 'WKB' AS properties FROM {rejected} AS x JOIN {batch} AS b USING ("ROW"))
""").format(rejected=REJECTED, batch=BATCH)
"""The rows that `insert` and `reject` set aside, with their attributes."""

# About a centimetre: coordinates that were rounded on their way lie this far out.
TOLERANCE = 1e-7
_PAGE = 500
_LONGEST_PROPERTIES = 64 * 1024


@dataclass(frozen=True)
class Target:
    """The table that rows go to."""

    schema: str
    table: str
    geometry_column: str
    geometry_type: str
    columns: Sequence[TableColumn]
    constants: Mapping[str, Any]
    """Standard columns that have the same value in every row."""
    crs: TableCrs = DEGREES
    keeps_row: bool = False
    """Whether the table has a column for the row's id in the source."""

    @property
    def base(self) -> str:
        """The geometry's type without dimensions."""
        return self.geometry_type.removesuffix("Z")

    @property
    def has_z(self) -> bool:
        """Whether heights are kept."""
        return self.geometry_type.endswith("Z")


@dataclass(frozen=True)
class From:
    """The CRS that the rows are in: a row of spatial_ref_sys, or the WKT where there is none."""

    srid: int | None
    wkt: str | None = None
    crosses: bool = False
    """Whether its area lies on both sides of the antimeridian, so that a geometry may, too."""


def prepare(connection: psycopg.Connection[Any], columns: Sequence[TableColumn]) -> None:
    """Make the staging tables, which go with the transaction."""
    connection.execute("SET LOCAL client_min_messages = error")
    # Temporary tables have no statistics, and the plan is the same without.
    connection.execute("SET LOCAL jit = off")
    # The shaped rows of a part of usual size stay in memory: they are written and read once more otherwise.
    connection.execute("SET LOCAL work_mem = '64MB'")
    definitions = sql.SQL("").join(sql.SQL(", {} {}").format(sql.Identifier(c.name), sql.SQL(ColumnType(c.type).value)) for c in columns)
    connection.execute(sql.SQL('CREATE TEMPORARY TABLE vector_batch ("ROW" bigint, "WKB" bytea{}) ON COMMIT DROP').format(definitions))
    connection.execute('CREATE TEMPORARY TABLE vector_rejected ("ROW" bigint, code text, reason text) ON COMMIT DROP')


def stage(connection: psycopg.Connection[Any], columns: Sequence[TableColumn], batches: Iterable[Batch]) -> tuple[int, Kinds]:
    """COPY batches into staging, with what is known to be unusable among the rejects. Returns the number of rows, their kinds."""
    rows, kinds = 0, Kinds()
    rejects: list[Reject] = []
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(BATCH)) as copy:
        copy.write(copying.HEADER)
        for batch in batches:
            for piece in copying.pieces(batch, [_oid(column.type) for column in columns]):
                copy.write(piece)
            rejects += batch.rejects
            rows += len(batch.ids)
            kinds |= batch.kinds
        copy.write(copying.TRAILER)
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(REJECTED)) as copy:
        for reject in rejects:
            copy.write_row((reject.row, reject.code, reject.reason))
    return rows, kinds


def clear(connection: psycopg.Connection[Any]) -> None:
    """Empty staging for what comes next."""
    connection.execute(sql.SQL("TRUNCATE {}, {}").format(BATCH, REJECTED))


def insert(connection: psycopg.Connection[Any], target: Target, crs: From, rows: int, kinds: Kinds) -> ChunkReport:
    """The staged rows into the table, or among the rejected ones, which stay in staging for `record`."""
    statement = _insert_statement(target, crs, linearise=kinds.curves > 0)
    values = {**target.constants, "crs_wkt": crs.wkt, "srid": crs.srid, "target_srid": target.crs.srid}
    try:
        with connection.transaction():
            [counts] = connection.execute(statement, values).fetchall()
    except psycopg.Error as error:
        if connection.closed or is_transient(error) or isinstance(error, psycopg.errors.QueryCanceled):
            raise
        connection.execute(_PROBLEMS, values)
        [counts] = connection.execute(statement, values).fetchall()
    reasons = dict(connection.execute(sql.SQL("SELECT code, count(*) FROM {} GROUP BY code ORDER BY code").format(REJECTED)).fetchall())
    inserted, repaired, without_geometry, wrapped, long_edges = counts
    return ChunkReport(
        read=rows,
        inserted=inserted,
        rejected=sum(reasons.values()),
        repaired=repaired,
        measured=kinds.measured,
        linearised=kinds.curves,
        without_geometry=without_geometry,
        wrapped=wrapped,
        long_edges=long_edges,
        surfaces=kinds.surfaces,
        reasons=reasons,
    )


def record(connection: psycopg.Connection[Any], task_id: int, attempt: int, source: str, rejects: sql.Composable = REJECTED_ROWS) -> None:
    """Write rejected rows, with their attributes, where their client can read them: a table of "ROW", code, reason, properties."""
    connection.execute(
        sql.SQL("""
            SELECT sum(platform.record_rejects(%(task_id)s, %(attempt)s, %(source)s, page.rejects))
              FROM (SELECT jsonb_agg(one.reject ORDER BY one.position) AS rejects
                      FROM (SELECT row_number() OVER (ORDER BY r."ROW") AS position,
                                   jsonb_build_object('source_row', r."ROW", 'code', r.code, 'reason', r.reason,
                                       'properties', CASE WHEN length(r.properties::text) <= %(longest)s THEN r.properties END) AS reject
                              FROM {rejects} AS r) AS one
                     GROUP BY one.position / %(page)s) AS page
        """).format(rejects=rejects),
        {"task_id": task_id, "attempt": attempt, "source": source, "longest": _LONGEST_PROPERTIES, "page": _PAGE},
    )


def _oid(column_type: ColumnType) -> int:
    name = ColumnType(column_type).value
    info = psycopg.adapters.types[name.removesuffix("[]")]
    return info.array_oid if name.endswith("[]") else info.oid


def _in_target(geometry: sql.Composable, crs: From, target: TableCrs) -> sql.Composed:
    if crs.srid == target.srid:
        return sql.Composed([geometry])
    srid = sql.Literal(target.srid)
    if crs.srid is not None:
        return sql.SQL("public.ST_Transform({}, {})").format(geometry, srid)
    # The form with an SRID as its target looks for spatial_ref_sys along the search_path.
    name = sql.Literal(f"EPSG:{target.srid}")
    return sql.SQL("public.ST_SetSRID(public.ST_Transform({}, {}, {}), {})").format(geometry, sql.Placeholder("crs_wkt"), name, srid)


_PROBLEMS = sql.SQL("""
    INSERT INTO {rejected}
    SELECT b."ROW", p.code, p.reason
      FROM {batch} AS b
     CROSS JOIN LATERAL geo.geometry_problem(b."WKB", %(srid)s::integer, %(crs_wkt)s::text, %(target_srid)s::integer) AS p
     WHERE p.code IS NOT NULL AND NOT EXISTS (SELECT FROM {rejected} AS x WHERE x."ROW" = b."ROW")
""").format(rejected=REJECTED, batch=BATCH)

# A box is worth keeping: each function that asks for one side of a geometry looks at all of it.
_TURNED = """
    coalesce(NOT (public.ST_XMin(b."BOX_OF_T") >= -180 - {tolerance} AND public.ST_XMax(b."BOX_OF_T") <= 180 + {tolerance})
             OR (public.ST_XMax(b."BOX_OF_T") - public.ST_XMin(b."BOX_OF_T") > 180 AND {crosses}), false)
"""
_INSIDE_DEGREES = """
    public.ST_XMin(p."BOX") >= -180 - {tolerance} AND public.ST_XMax(p."BOX") <= 180 + {tolerance}
    AND public.ST_YMin(p."BOX") >= -90 - {tolerance} AND public.ST_YMax(p."BOX") <= 90 + {tolerance}
"""
# NaN is more than infinity.
_INSIDE_A_PLANE = """
    public.ST_XMin(p."BOX") > '-infinity' AND public.ST_XMax(p."BOX") < 'infinity'
    AND public.ST_YMin(p."BOX") > '-infinity' AND public.ST_YMax(p."BOX") < 'infinity'
"""

# Each step names what the next one needs more than once: P parsed, T in the table's CRS, G on this side of the antimeridian,
# FIXED repaired, SHAPED of the column's type. OFFSET 0 keeps the planner from merging the steps, which would repeat their work.
_INSERT = """
    WITH parsed AS (
        SELECT b.*, public.ST_GeomFromWKB(b."WKB", {srid}) AS "P"
          FROM {batch} AS b
         WHERE NOT EXISTS (SELECT FROM {rejected} AS x WHERE x."ROW" = b."ROW")
        OFFSET 0
    ), placed AS (
        SELECT p.*, {in_target} AS "T" FROM parsed AS p OFFSET 0
    ), boxed AS (
        SELECT p.*, public.Box3D(p."T") AS "BOX_OF_T" FROM placed AS p OFFSET 0
    ), turned AS (
        SELECT b.*, {turned} AS "TURNED" FROM boxed AS b OFFSET 0
    ), wrapped AS (
        SELECT t.*, CASE WHEN t."TURNED" THEN geo.wrap_longitude(t."T") ELSE t."T" END AS "G" FROM turned AS t OFFSET 0
    ), boxed_again AS (
        SELECT w.*, CASE WHEN w."TURNED" THEN public.Box3D(w."G") ELSE w."BOX_OF_T" END AS "BOX" FROM wrapped AS w OFFSET 0
    ), looked_at AS (
        SELECT p.*, p."G" IS NULL OR public.ST_IsEmpty(p."G") AS "NONE", {inside} AS "INSIDE"
          FROM boxed_again AS p
        OFFSET 0
    ), judged AS (
        SELECT l.*, l."NONE" OR NOT l."INSIDE" OR public.ST_IsValid(l."G") AS "VALID" FROM looked_at AS l OFFSET 0
    ), fixed AS (
        SELECT j.*, CASE
                   WHEN j."NONE" OR NOT j."INSIDE" THEN NULL
                   WHEN j."VALID" THEN {simplest}
                   -- Making it valid would leave out the position, and guess at the shape.
                   WHEN public.ST_IsValidReason(j."G") LIKE 'Invalid Coordinate%%' THEN NULL
                   WHEN public.GeometryType(j."G") = 'GEOMETRYCOLLECTION' THEN public.ST_CollectionHomogenize(public.ST_MakeValid(j."G"))
                   ELSE public.ST_CollectionExtract(public.ST_MakeValid(j."G"), public.ST_Dimension(j."G") + 1)
               END AS "FIXED"
          FROM judged AS j
        OFFSET 0
    ), cast_to_type AS (
        SELECT f.*, {shaped} AS "SHAPED" FROM fixed AS f OFFSET 0
    ), coded AS (
        SELECT c.*, CASE
                   WHEN c."NONE" THEN NULL
                   WHEN NOT c."INSIDE" THEN 'GEOMETRY_OUT_OF_RANGE'
                   WHEN c."FIXED" IS NULL OR public.ST_IsEmpty(c."FIXED") THEN 'GEOMETRY_NOT_REPAIRABLE'
                   WHEN {base} <> 'GEOMETRY' AND public.GeometryType(c."SHAPED") <> {base} THEN 'GEOMETRY_TYPE_MISMATCH'
               END AS "CODE"
          FROM cast_to_type AS c
        OFFSET 0
    ), shaped AS MATERIALIZED (
        SELECT {attributes} c."ROW", NOT c."VALID" AS "REPAIRED", c."NONE", c."CODE",
               c."TURNED" AND (public.ST_XMin(c."BOX") <> public.ST_XMin(c."BOX_OF_T")
                               OR public.ST_NPoints(c."G") <> public.ST_NPoints(c."T")) AS "WRAPPED", {long_edge} AS "LONG_EDGE",
               CASE WHEN NOT c."NONE" AND c."CODE" IS NULL THEN {wound} END AS "SHAPED",
               CASE c."CODE"
                   WHEN 'GEOMETRY_OUT_OF_RANGE' THEN format('it spans longitude %%s to %%s and latitude %%s to %%s',
                       public.ST_XMin(c."G"), public.ST_XMax(c."G"), public.ST_YMin(c."G"), public.ST_YMax(c."G"))
                   WHEN 'GEOMETRY_NOT_REPAIRABLE' THEN format('it is invalid, and nothing is left once it is repaired: %%s (%%s)',
                       public.ST_IsValidReason(c."G"), public.Box2D(c."G"))
                   WHEN 'GEOMETRY_TYPE_MISMATCH' THEN format('it is a %%s, and the table holds %%s (%%s)',
                       public.GeometryType(c."FIXED"), {base}, public.Box2D(c."G"))
               END AS "REASON"
          FROM coded AS c
    ), loaded AS (
        INSERT INTO {table} ({names}) SELECT {values} FROM shaped AS s WHERE s."CODE" IS NULL
    ), rejected AS (
        INSERT INTO {rejected} SELECT s."ROW", s."CODE", s."REASON" FROM shaped AS s WHERE s."CODE" IS NOT NULL
    )
    SELECT count(*) FILTER (WHERE "CODE" IS NULL), count(*) FILTER (WHERE "CODE" IS NULL AND "REPAIRED"),
           count(*) FILTER (WHERE "CODE" IS NULL AND "NONE"), count(*) FILTER (WHERE "CODE" IS NULL AND "WRAPPED"),
           count(*) FILTER (WHERE "CODE" IS NULL AND "LONG_EDGE")
      FROM shaped
"""


def _insert_statement(target: Target, crs: From, *, linearise: bool) -> sql.Composed:
    """One statement: shape every row, insert the usable ones, set the others aside, count."""
    parsed = sql.SQL('p."P"')
    if linearise:
        parsed = sql.SQL(
            """CASE WHEN public.GeometryType(p."P") IN ('CIRCULARSTRING', 'COMPOUNDCURVE', 'CURVEPOLYGON', 'MULTICURVE', 'MULTISURFACE')
                      OR public.ST_HasArc(p."P") THEN public.ST_CurveToLine(p."P") ELSE p."P" END"""
        )
    row, names = ["ROW"] if target.keeps_row else [], [column.name for column in target.columns]
    flat = sql.SQL("public.ST_Force3DZ({})" if target.has_z else "public.ST_Force2D({})").format(parsed)
    return sql.SQL(_INSERT).format(
        attributes=sql.SQL("").join(sql.SQL("c.{}, ").format(sql.Identifier(column.name)) for column in target.columns),
        base=sql.Literal(target.base),
        shaped=sql.SQL("public.ST_Force3DZ({})" if target.has_z else "{}").format(sql.SQL(_shaped(target.base))),
        simplest=sql.SQL(
            'j."G"'
            if target.base == "GEOMETRY"
            else """CASE WHEN public.GeometryType(j."G") = 'GEOMETRYCOLLECTION' THEN public.ST_CollectionHomogenize(j."G") ELSE j."G" END"""
        ),
        in_target=_in_target(flat, crs, target.crs),
        turned=_turned(crs, target),
        inside=sql.SQL(_INSIDE_DEGREES).format(tolerance=sql.Literal(TOLERANCE)) if target.crs.in_degrees else sql.SQL(_INSIDE_A_PLANE),
        long_edge=sql.SQL(
            'public.ST_XMax(c."BOX") - public.ST_XMin(c."BOX") > 180 AND geo.has_long_edge(c."G")' if target.crs.in_degrees else "false"
        ),
        wound=sql.SQL(_wound(target.base)),
        srid=sql.Literal(crs.srid or 0),
        batch=BATCH,
        rejected=REJECTED,
        table=sql.Identifier(target.schema, target.table),
        names=sql.SQL(", ").join(map(sql.Identifier, [*target.constants, target.geometry_column, *row, *names])),
        values=sql.SQL(", ").join(
            [
                *(sql.Placeholder(name) for name in target.constants),
                sql.SQL('s."SHAPED"'),
                *(sql.SQL("s.{}").format(sql.Identifier(name)) for name in [*row, *names]),
            ]
        ),
    )


def _turned(crs: From, target: Target) -> sql.Composable:
    """Whether a geometry lies beyond the antimeridian, or was torn by it."""
    if not target.crs.in_degrees:
        return sql.SQL("false")
    return sql.SQL(_TURNED).format(tolerance=sql.Literal(TOLERANCE), crosses=sql.Literal(crs.crosses))


def _wound(base: str) -> LiteralString:
    """The geometry with its outer rings against the clock, as GeoJSON and most readers have them."""
    if "POINT" in base or "LINE" in base:
        return 'c."SHAPED"'
    return 'CASE WHEN public.ST_IsPolygonCCW(c."SHAPED") THEN c."SHAPED" ELSE public.ST_ForcePolygonCCW(c."SHAPED") END'


def _shaped(base: str) -> LiteralString:
    """A geometry as the column's type wants it: a multi of one, the one of a multi, or as it is."""
    if base.startswith("MULTI"):
        return 'public.ST_Multi(f."FIXED")'
    if base == "GEOMETRY":
        return 'f."FIXED"'
    return 'CASE WHEN public.ST_NumGeometries(f."FIXED") = 1 THEN public.ST_GeometryN(f."FIXED", 1) ELSE f."FIXED" END'
