"""Rows into a table: COPY into staging, then one set-based INSERT … SELECT that parses, repairs, transforms and sorts out.

The geometry travels as WKB in a bytea, because COPY into a geometry column accepts what later reads choke on. The statement
is written for good rows; what a geometry needs that is not plain, geo.settle_geometry does. Where a row makes it fail, it is
undone, each row is tried alone by geo.geometry_problem, which traps, and the statement runs again without those that cannot be
used.

Guarantees: read = inserted + rejected; everything in the caller's transaction; temporary tables go with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

# A box is worth keeping: each function that asks for one side of a geometry looks at all of it. What has none (nothing there, or
# empty) is not plain.
_PLAIN_DEGREES = """
    public.ST_XMin(p."BOX") >= -180 AND public.ST_XMax(p."BOX") <= 180 AND public.ST_YMin(p."BOX") >= -90 AND public.ST_YMax(p."BOX") <= 90
    AND public.ST_XMax(p."BOX") - public.ST_XMin(p."BOX") <= 180
"""
# NaN is more than infinity.
_PLAIN_PLANE = """
    public.ST_XMin(p."BOX") > '-infinity' AND public.ST_XMax(p."BOX") < 'infinity'
    AND public.ST_YMin(p."BOX") > '-infinity' AND public.ST_YMax(p."BOX") < 'infinity'
"""

# Each step names what the next one needs more than once: PLACED in the table's CRS, BOX, whether it is PLAIN (valid, of the column's
# type, within bounds), what becomes of it where it is not. OFFSET 0 keeps the planner from merging the steps, which would repeat
# their work.
_INSERT = """
    WITH shaped AS MATERIALIZED (
        SELECT {attributes} j."ROW", CASE WHEN j."PLAIN" THEN {plainly} ELSE {settled} END AS "SHAPED",
               (j."SETTLED").code AS "CODE", (j."SETTLED").reason AS "REASON", (j."SETTLED").repaired AS "REPAIRED",
               (j."SETTLED").missing AS "NONE", (j."SETTLED").wrapped AS "WRAPPED", (j."SETTLED").long_edge AS "LONG_EDGE"
          FROM (SELECT j.*, CASE WHEN NOT j."PLAIN" THEN geo.settle_geometry(j."PLACED", {base}, {in_degrees}, {crosses}) END AS "SETTLED"
                  FROM (SELECT p.*, coalesce({plain} AND public.ST_IsValid(p."PLACED"), false) AS "PLAIN"
                          FROM (SELECT p.*, public.Box3D(p."PLACED") AS "BOX"
                                  FROM (SELECT b.*, {placed} AS "PLACED" FROM {parsed} AS b OFFSET 0) AS p
                                OFFSET 0) AS p
                        OFFSET 0) AS j
                OFFSET 0) AS j
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
_PARSED = """
    (SELECT b.*, public.ST_GeomFromWKB(b."WKB", {srid}) AS "PARSED"
       FROM {batch} AS b
      WHERE NOT EXISTS (SELECT FROM {rejected} AS x WHERE x."ROW" = b."ROW")
     OFFSET 0)
"""
_LINEAR = """
    CASE WHEN public.GeometryType(b."PARSED") IN ('CIRCULARSTRING', 'COMPOUNDCURVE', 'CURVEPOLYGON', 'MULTICURVE', 'MULTISURFACE')
              OR public.ST_HasArc(b."PARSED")
         THEN public.ST_CurveToLine(b."PARSED") ELSE b."PARSED" END
"""
_TYPED = 'public.GeometryType(p."PLACED") IN ({base}, {single}) AND '
# Outer rings against the clock, as GeoJSON and most readers have them.
_WOUND = 'CASE WHEN public.ST_IsPolygonCCW(j."PLACED") THEN j."PLACED" ELSE public.ST_ForcePolygonCCW(j."PLACED") END'


def _insert_statement(target: Target, crs: From, *, linearise: bool) -> sql.Composed:
    """One statement: shape every row, insert the usable ones, set the others aside, count."""
    row, names = ["ROW"] if target.keeps_row else [], [column.name for column in target.columns]
    flat = sql.SQL("public.ST_Force3DZ({})" if target.has_z else "public.ST_Force2D({})")
    base = sql.Literal(target.base)
    plain: sql.Composable = sql.SQL(_PLAIN_DEGREES if target.crs.in_degrees else _PLAIN_PLANE)
    if target.base != "GEOMETRY":
        plain = sql.SQL(_TYPED).format(base=base, single=sql.Literal(target.base.removeprefix("MULTI"))) + plain
    return sql.SQL(_INSERT).format(
        attributes=sql.SQL("").join(sql.SQL("j.{}, ").format(sql.Identifier(column.name)) for column in target.columns),
        plainly=_plainly(target.base),
        settled=sql.SQL("public.ST_Force3DZ({})" if target.has_z else "{}").format(sql.SQL('(j."SETTLED").shape')),
        base=base,
        in_degrees=sql.Literal(target.crs.in_degrees),
        crosses=sql.Literal(crs.crosses),
        plain=plain,
        placed=_in_target(flat.format(sql.SQL(_LINEAR if linearise else 'b."PARSED"')), crs, target.crs),
        parsed=sql.SQL(_PARSED).format(srid=sql.Literal(crs.srid or 0), batch=BATCH, rejected=REJECTED),
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


def _plainly(base: str) -> sql.Composable:
    """A plain geometry as the column has it: wound, a multi of one."""
    wound = sql.SQL('j."PLACED"' if "POINT" in base or "LINE" in base else _WOUND)
    return sql.SQL("public.ST_Multi({})").format(wound) if base.startswith("MULTI") else wound
