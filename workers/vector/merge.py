"""Loaded rows go into a table that is there already: append and upsert.

Readers see none of the rows or all of them: it is one statement, in the transaction that completes the task. What is in the
table is kept as it is: its columns, its geometry's name and type, its indexes. A source may have fewer columns, never others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from workers.errors import TaskError
from workers.geo_table import STANDARD_COLUMNS, TableColumn, index_name
from workers.vector import keys as key_columns
from workers.vector import shared

_LOCK_TIMEOUT = "60s"
_KEPT = ("objectid", "created_at", "updated_at")
"""Standard columns that the table itself fills."""
_WIDER = {
    "smallint": {"integer", "bigint", "numeric", "real", "double precision"},
    "integer": {"bigint", "numeric", "double precision"},
    "bigint": {"numeric"},
    "real": {"double precision"},
}
"""Types that hold every value of another."""


@dataclass(frozen=True)
class Existing:
    """A table that is there: its own columns and their types, its geometry."""

    columns: Mapping[str, str]
    geometry_column: str
    geometry_type: str
    srid: int


@dataclass(frozen=True)
class Merged:
    """What became of the rows."""

    inserted: int
    updated: int
    removed: int
    """Rows of the request's earlier revisions, in whose place these are."""


def describe(connection: psycopg.Connection[Any], schema: str, table: str) -> Existing:
    """The table as it is now."""
    rows = connection.execute(
        """
        SELECT a.attname, pg_catalog.format_type(a.atttypid, NULL), a.atttypmod, a.atttypid = 'public.geometry'::regtype
          FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = (SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relnamespace = %s::regnamespace AND c.relname = %s)
           AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        """,
        (schema, table),
    ).fetchall()
    [(geometry, typmod)] = [(name, typmod) for name, _, typmod, is_geometry in rows if is_geometry][:1]
    [(kind, srid)] = connection.execute(
        "SELECT upper(public.postgis_typmod_type(%s)), public.postgis_typmod_srid(%s)", (typmod, typmod)
    ).fetchall()
    own = {name: type_ for name, type_, _, is_geometry in rows if not is_geometry and name not in STANDARD_COLUMNS}
    return Existing(own, geometry, kind, srid)


def require_fit(connection: psycopg.Connection[Any], existing: Existing, columns: Sequence[TableColumn], table: str, srid: int) -> None:
    """Refuse columns that the table does not have, or whose values it does not hold, and another CRS."""
    types = dict(
        connection.execute(
            "SELECT t, pg_catalog.format_type(t::regtype, NULL) FROM unnest(%s::text[]) AS t", ([column.type.value for column in columns],)
        ).fetchall()
    )
    missing = [column.name for column in columns if column.name not in existing.columns]
    narrower = [
        f"{column.name} is {types[column.type.value]}, there {existing.columns[column.name]}"
        for column in columns
        if column.name in existing.columns
        and existing.columns[column.name] not in {types[column.type.value], *_WIDER.get(types[column.type.value], ())}
    ]
    told = [f"it has no column {name}" for name in missing] + narrower
    if srid != existing.srid:
        told.append(f"its geometries are in EPSG:{existing.srid}")
    if told:
        raise TaskError(
            "TABLE_DIFFERS", f"The rows do not fit into geo.{table}: {'; '.join(told)}", category="user", field="mode",
            value=[*missing, *narrower], remediation="Mend the file so that it has the table's columns, or use mode replace",
        )  # fmt: skip


def into(
    connection: psycopg.Connection[Any],
    schema: str,
    staging: str,
    table: str,
    columns: Sequence[str],
    keys: Sequence[str],
    item: tuple[str, str],
    indexes: Sequence[str] = (),
) -> Merged:
    """Append the rows, or upsert them where there are key columns. `columns` are the staging table's, with the geometry's.

    `indexes` are columns that are to have an index afterwards, as the table itself may have it already.

    Readers go on reading; other writers wait. What other requests show of the table stays as it is. Where rows are appended, those
    that the same STAC item (collection, id) had there before go: they are of an earlier revision of the same request.
    """
    target = sql.Identifier(schema, table)
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(target))
    connection.execute("SET LOCAL lock_timeout = 0")
    shared.detach(connection, schema, table)
    removed = 0
    if keys:
        key_columns.create_index(connection, schema, table, keys)
    else:
        removed = connection.execute(
            sql.SQL("DELETE FROM {} WHERE stac_collection_id = %s AND stac_item_id = %s").format(target), item
        ).rowcount
    names = [*(name for name in STANDARD_COLUMNS if name not in _KEPT), *columns]
    try:
        with connection.transaction():
            [(inserted, updated)] = connection.execute(
                sql.SQL("""
                    WITH written AS (INSERT INTO {target} AS t ({names}) SELECT {names} FROM {staging} ORDER BY objectid {conflict}
                                     RETURNING t.xmax = 0 AS is_new)
                    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
                """).format(
                    target=target,
                    names=sql.SQL(", ").join(map(sql.Identifier, names)),
                    staging=sql.Identifier(schema, staging),
                    conflict=_conflict(names, keys),
                )
            ).fetchall()
    except psycopg.errors.UniqueViolation as error:
        raise TaskError(
            "KEY_TAKEN", f"geo.{table} has a row with the same key: {error.diag.message_detail}", category="data", field="mode",
            value="append", remediation="Use mode upsert with key_columns, or take the row out of the file",
        ) from error  # fmt: skip
    _index(connection, schema, table, indexes)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(schema, staging)))
    return Merged(inserted, updated, removed)


def _index(connection: psycopg.Connection[Any], schema: str, table: str, columns: Sequence[str]) -> None:
    """Make the indexes that are missing: none begins with the column, or it is of some rows only."""
    for column in columns:
        name = index_name(table, column)
        [(is_there, is_taken)] = connection.execute(
            """
            SELECT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                             JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
                             JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
                             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                            WHERE i.indrelid = t.oid AND a.attname = %(column)s AND i.indisvalid AND i.indpred IS NULL),
                   EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = t.relnamespace AND c.relname = %(name)s)
              FROM pg_catalog.pg_class AS t WHERE t.relnamespace = %(schema)s::regnamespace AND t.relname = %(table)s
            """,
            {"column": column, "name": name, "schema": schema, "table": table},
        ).fetchall()
        if not is_there:
            connection.execute(
                sql.SQL("CREATE INDEX {} ON {} ({})").format(
                    sql.Identifier(index_name(table, column, is_taken=is_taken)), sql.Identifier(schema, table), sql.Identifier(column)
                )
            )


def _conflict(names: Sequence[str], keys: Sequence[str]) -> sql.Composable:
    if not keys:
        return sql.SQL("")
    changed = [name for name in names if name not in keys]
    return sql.SQL("ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.SQL(", ").join(map(sql.Identifier, keys)),
        sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
    )
