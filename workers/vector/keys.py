"""Key columns: which tell rows apart, within a file and between a file and the table that it goes into.

A row without a key is a reject. Of rows with the same key in one file the last counts, and those before it are rejects:
nothing is dropped in silence. The table has a unique index on its key columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from workers.errors import TaskError
from workers.geo_table import TableColumn, bounded

ROW = sql.Identifier("ROW")
"""A column of a loaded table with key columns: the row's id in the source, until the keys are sorted out."""
UNKEYED = sql.Identifier("pg_temp", "vector_unkeyed")


def index_name(table: str, keys: Sequence[str]) -> str:
    """Name of the unique index on the key columns."""
    return bounded(f"key_{table}_{'_'.join(keys)}")


def require(columns: Sequence[TableColumn], keys: Sequence[str]) -> None:
    """Refuse key columns that the source does not have."""
    names = [column.name for column in columns]
    for key in keys:
        if key not in names:
            raise TaskError(
                "KEY_COLUMN_UNKNOWN", f"There is no column {key} to tell rows apart by", category="user", field="key_columns", value=key,
                remediation=f"Use one of: {', '.join(names)}",
            )  # fmt: skip


def add_row_column(connection: psycopg.Connection[Any], schema: str, table: str) -> None:
    """Have a table that is loaded into keep each row's id in the source."""
    connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {} bigint").format(sql.Identifier(schema, table), ROW))


def sort_out(
    connection: psycopg.Connection[Any], schema: str, table: str, columns: Sequence[TableColumn], keys: Sequence[str]
) -> dict[str, int]:
    """Take rows that cannot be told apart out of a loaded table, into UNKEYED; how many, by reason.

    The order of the source is that of the chunks, and within a chunk that of the rows' insertion.
    """
    listed = sql.SQL(", ").join(sql.SQL("s.{}").format(sql.Identifier(key)) for key in keys)
    connection.execute('CREATE TEMPORARY TABLE vector_unkeyed ("ROW" bigint, code text, reason text, properties jsonb) ON COMMIT DROP')
    connection.execute(
        sql.SQL("""
            WITH numbered AS (
                SELECT s.ctid AS place, num_nulls({keys}) > 0 AS "MISSING",
                       row_number() OVER (PARTITION BY {keys} ORDER BY s.etl_batch_id::integer DESC, s.objectid DESC) > 1 AS "REPEATED"
                  FROM {table} AS s
            ), gone AS (
                DELETE FROM {table} AS s USING numbered AS n
                 WHERE s.ctid = n.place AND (n."MISSING" OR n."REPEATED") RETURNING s.*, n."MISSING"
            )
            INSERT INTO {unkeyed}
            SELECT g."ROW", CASE WHEN g."MISSING" THEN 'KEY_MISSING' ELSE 'KEY_REPEATED' END,
                   CASE WHEN g."MISSING" THEN 'it has no value in a key column' ELSE 'a later row of the file has the same key' END,
                   to_jsonb(p)
              FROM gone AS g CROSS JOIN LATERAL (SELECT {own}) AS p
        """).format(
            keys=listed,
            table=sql.Identifier(schema, table),
            unkeyed=UNKEYED,
            own=sql.SQL(", ").join(sql.SQL("g.{}").format(sql.Identifier(column.name)) for column in columns),
        )
    )
    connection.execute(sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(sql.Identifier(schema, table), ROW))
    return dict(connection.execute(sql.SQL("SELECT code, count(*) FROM {} GROUP BY code ORDER BY code").format(UNKEYED)).fetchall())


def create_index(connection: psycopg.Connection[Any], schema: str, table: str, keys: Sequence[str]) -> None:
    """The unique index, where the table has none on these columns."""
    columns = sql.SQL(", ").join(map(sql.Identifier, keys))
    statement = sql.SQL("CREATE UNIQUE INDEX {} ON {} ({})").format(
        sql.Identifier(index_name(table, keys)), sql.Identifier(schema, table), columns
    )
    if _has_index(connection, schema, table, keys):
        return
    try:
        with connection.transaction():
            connection.execute(statement)
    except psycopg.errors.UniqueViolation as error:
        raise TaskError(
            "KEY_NOT_UNIQUE", f"{schema}.{table} has rows with the same {', '.join(keys)}: {error.diag.message_detail}", category="user",
            field="key_columns", value=list(keys), remediation="Name columns that tell its rows apart, or replace the table",
        ) from error  # fmt: skip


def _has_index(connection: psycopg.Connection[Any], schema: str, table: str, keys: Sequence[str]) -> bool:
    row = connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM pg_catalog.pg_index AS i
             WHERE i.indrelid = (SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relnamespace = %s::regnamespace AND c.relname = %s)
               AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
               AND ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
                          WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) ORDER BY 1) = %s::text[])
        """,
        (schema, table, sorted(keys)),
    ).fetchone()
    return row is not None and bool(row[0])
