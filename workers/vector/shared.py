"""A table whose rows several requests show: one has the table, each other a view of it under its own name.

A view is there from the moment that a request has decided to share, so that the table cannot go. Whoever replaces or drops the
table leaves it to a view, whose place it takes with everything that is named after it; whoever writes into it gives the views a
copy before. So a request's name always shows what it showed, and no reader ever learns of another's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from workers.errors import TaskError
from workers.geo_table import index_name, key_name, sequence_name, trigger_name
from workers.vector import keys as key_columns

Connection = psycopg.Connection[Any]
_LOCK_TIMEOUT = "60s"
_TRIES = 10
_MOVED = (psycopg.errors.UndefinedTable, psycopg.errors.WrongObjectType)
Grant = tuple[LiteralString, sql.Composable, LiteralString]


@dataclass(frozen=True)
class Index:
    """An index of geomill's making."""

    name: str
    columns: list[str]
    method: LiteralString
    is_primary: bool
    is_unique: bool

    def name_for(self, table: str, *, is_taken: bool = False) -> str:
        """What it is called in another table."""
        if self.is_primary:
            return key_name(table)
        return key_columns.index_name(table, self.columns) if self.is_unique else index_name(table, self.columns[0], is_taken=is_taken)


def is_view(connection: Connection, schema: str, name: str) -> bool:
    """Whether a request shows another's rows under this name."""
    statement = "SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = %s::regnamespace AND c.relname = %s AND c.relkind = 'v'"
    return connection.execute(statement, (schema, name)).fetchone() is not None


def views_of(connection: Connection, schema: str, table: str) -> list[str]:
    """The views of other requests; published ones first."""
    rows = connection.execute(
        """
        SELECT v.relname FROM pg_catalog.pg_class AS v
         WHERE v.relnamespace = %s::regnamespace AND v.relkind = 'v' AND pg_has_role(v.relowner, 'USAGE')
           AND EXISTS (SELECT FROM pg_catalog.pg_rewrite AS r
                         JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                        WHERE r.ev_class = v.oid AND d.refclassid = 'pg_class'::regclass
                          AND d.refobjid = to_regclass(format('%%I.%%I', %s::text, %s::text)))
           AND v.relname <> %s
         ORDER BY starts_with(v.relname, '_'), v.relname
        """,
        (schema, schema, table, table),
    ).fetchall()
    return [row[0] for row in rows]


def table_of(connection: Connection, schema: str, view: str) -> str | None:
    """The table that a view shows; the name itself where it is one; None where it is neither."""
    row = connection.execute(
        """
        SELECT coalesce((SELECT t.relname FROM pg_catalog.pg_rewrite AS r
                           JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                           JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid AND t.relnamespace = c.relnamespace AND t.relkind = 'r'
                          WHERE r.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass LIMIT 1), c.relname)
          FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = %s::regnamespace AND c.relname = %s AND c.relkind IN ('r', 'v') AND pg_has_role(c.relowner, 'USAGE')
        """,
        (schema, view),
    ).fetchone()
    return None if row is None else str(row[0])


def is_as_published(connection: Connection, schema: str, table: str, rows: int, job_id: str, published_at: datetime) -> bool:
    """Whether a table has the rows that a job loaded, and nobody has changed any since. Writers wait from now on."""
    name = sql.Identifier(schema, table)
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(name))
    [(same,)] = connection.execute(
        sql.SQL("SELECT count(*) = %s AND coalesce(bool_and(etl_job_id = %s AND updated_at <= %s), true) FROM {}").format(name),
        (rows, job_id, published_at),
    ).fetchall()
    return bool(same)


def show(connection: Connection, schema: str, view: str, table: str, owner: str) -> None:
    """Make a view of a table."""
    name = sql.Identifier(schema, view)
    connection.execute(sql.SQL("CREATE VIEW {} AS SELECT * FROM {}").format(name, sql.Identifier(schema, table)))
    connection.execute(sql.SQL("ALTER VIEW {} OWNER TO {}").format(name, sql.Identifier(owner)))


def clear(connection: Connection, schema: str, staging: str) -> None:
    """Drop what a job left behind where app was rebuilt while it ran: nobody else can have its staging table's name."""
    statement = "DROP VIEW {}" if is_view(connection, schema, staging) else "DROP TABLE IF EXISTS {}"
    connection.execute(sql.SQL(statement).format(sql.Identifier(schema, staging)))


def hold(connection: Connection, schema: str, name: str) -> None:
    """Keep everybody from a table, or from a view: from that alone, where LOCK TABLE would lock what it shows, too."""
    identifier = sql.Identifier(schema, name)
    if is_view(connection, schema, name):
        connection.execute(sql.SQL("ALTER VIEW {} OWNER TO {}").format(identifier, sql.Identifier(_owner(connection, schema, name))))
    else:
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(identifier))


def hold_views(connection: Connection, schema: str, table: str, patience: str = "500ms") -> list[str]:
    """Keep everybody from a table's views, which a publication may rename meanwhile; their names.

    Their readers come from the other side, and may have the table already: who is to have it alone gives up before the server
    looks for a deadlock.
    """
    for _ in range(_TRIES):
        views = views_of(connection, schema, table)
        try:
            with connection.transaction():
                if views:
                    connection.execute("SELECT set_config('lock_timeout', %s, true)", (patience,))
                for view in views:
                    hold(connection, schema, view)
        except _MOVED:
            continue
        if views_of(connection, schema, table) == views:
            return views
    raise TaskError(
        "TABLE_BUSY", f"geo.{table} is shared and let go of by others all the time", category="system", retryable=True,
        field="table_name", value=table, remediation="Nothing to do: the task is tried again",
    )  # fmt: skip


def bequeath(connection: Connection, schema: str, table: str) -> bool:
    """Put a table that is to go in the place of the first of its views; False where it has none. The others show it as before."""
    views = hold_views(connection, schema, table)
    if not views:
        return False
    heir = views[0]
    comment, granted = _comment(connection, schema, heir), grants(connection, schema, heir)
    connection.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, heir)))
    indexes = _indexes(connection, schema, table)
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(schema, table), sql.Identifier(heir)))
    connection.execute(
        sql.SQL("ALTER SEQUENCE {} RENAME TO {}").format(sql.Identifier(schema, sequence_name(table)), sql.Identifier(sequence_name(heir)))
    )
    connection.execute(
        sql.SQL("ALTER TRIGGER {} ON {} RENAME TO {}").format(
            sql.Identifier(trigger_name(table)), sql.Identifier(schema, heir), sql.Identifier(trigger_name(heir))
        )
    )
    for index in indexes:
        connection.execute(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier(schema, index.name), sql.Identifier(_free_name(connection, schema, index, heir))
            )
        )
    _dress(connection, schema, heir, comment, granted)
    return True


def detach(connection: Connection, schema: str, table: str) -> None:
    """Give the views of a table that is about to be written to a copy of what it has now: a table for the first, views of that.

    The caller has locked the table against writers, and so against those that look whether they can share it.
    """
    views = hold_views(connection, schema, table, patience="10s")
    if not views:
        return
    _copy(connection, schema, views[0], table)
    for view in views[1:]:
        connection.execute(
            sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(sql.Identifier(schema, view), sql.Identifier(schema, views[0]))
        )
    connection.execute("SET LOCAL lock_timeout = 0")


def own(connection: Connection, schema: str, name: str) -> None:
    """Where a request is to write into what is a view, make that a table of its own."""
    table = table_of(connection, schema, name)
    if table is not None and table != name:
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
        hold(connection, schema, name)
        # It may have inherited the table while it was waited for.
        if (shown := table_of(connection, schema, name)) is not None and shown != name:
            _copy(connection, schema, name, shown)
        connection.execute("SET LOCAL lock_timeout = 0")


def grants(connection: Connection, schema: str, table: str) -> list[Grant]:
    """Who may do what with a table or view, but its owner."""
    rows = connection.execute(
        """
        SELECT a.privilege_type, r.rolname, a.is_grantable
          FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
          LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
         WHERE c.relnamespace = %s::regnamespace AND c.relname = %s AND a.grantee <> c.relowner
         ORDER BY 1, 2
        """,
        (schema, table),
    ).fetchall()
    return [
        (privilege, sql.SQL("PUBLIC") if role is None else sql.Identifier(role), " WITH GRANT OPTION" if is_grantable else "")
        for privilege, role, is_grantable in rows
    ]


def grant(connection: Connection, schema: str, table: str, granted: Sequence[Grant]) -> None:
    """Grant what was granted on what was there before."""
    for privilege, grantee, option in granted:
        statement = sql.SQL("GRANT {} ON {} TO {}{}")
        connection.execute(statement.format(sql.SQL(privilege), sql.Identifier(schema, table), grantee, sql.SQL(option)))


def _copy(connection: Connection, schema: str, view: str, table: str) -> None:
    """A table of the same rows in the place of a view."""
    name, source = sql.Identifier(schema, view), sql.Identifier(schema, table)
    comment, granted = _comment(connection, schema, view), grants(connection, schema, view)
    owner = _owner(connection, schema, view)
    connection.execute(sql.SQL("DROP VIEW {}").format(name))
    like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE)")
    connection.execute(like.format(name, source))
    connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {} ORDER BY objectid").format(name, source))
    sequence = sql.Identifier(schema, sequence_name(view))
    identity = sql.SQL("ALTER TABLE {} ALTER COLUMN objectid ADD GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME {})")
    connection.execute(identity.format(name, sequence))
    connection.execute(
        sql.SQL("SELECT setval({}, greatest(max(objectid), 1)) FROM {}").format(sql.Literal(sequence.as_string(connection)), name)
    )
    for index in _indexes(connection, schema, table):
        called, columns = (
            sql.Identifier(_free_name(connection, schema, index, view)),
            sql.SQL(", ").join(map(sql.Identifier, index.columns)),
        )
        if index.is_primary:
            connection.execute(sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY ({})").format(name, called, columns))
        else:
            make = sql.SQL("CREATE UNIQUE INDEX {} ON {} USING {} ({})" if index.is_unique else "CREATE INDEX {} ON {} USING {} ({})")
            connection.execute(make.format(called, name, sql.SQL(index.method), columns))
    trigger = sql.SQL("CREATE TRIGGER {} BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION geo.update_updated_at_column()")
    connection.execute(trigger.format(sql.Identifier(trigger_name(view)), name))
    connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(name, sql.Identifier(owner)))
    _dress(connection, schema, view, comment, granted)
    connection.execute(sql.SQL("ANALYZE {}").format(name))


def _dress(connection: Connection, schema: str, table: str, comment: str | None, granted: Sequence[Grant]) -> None:
    """Give a table what the view had in whose place it is."""
    connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(sql.Identifier(schema, table), sql.Literal(comment)))
    grant(connection, schema, table, granted)


def _comment(connection: Connection, schema: str, table: str) -> str | None:
    statement = (
        "SELECT pg_catalog.obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class AS c"
        " WHERE c.relnamespace = %s::regnamespace AND c.relname = %s"
    )
    [(comment,)] = connection.execute(statement, (schema, table)).fetchall()
    return comment if comment is None else str(comment)


def _owner(connection: Connection, schema: str, table: str) -> str:
    statement = (
        "SELECT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class AS c WHERE c.relnamespace = %s::regnamespace AND c.relname = %s"
    )
    [(owner,)] = connection.execute(statement, (schema, table)).fetchall()
    return str(owner)


def _indexes(connection: Connection, schema: str, table: str) -> list[Index]:
    """The indexes that geomill makes: of one column, the key, and the unique one of key columns."""
    rows = connection.execute(
        """
        SELECT c.relname, ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (number, position)
                                  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.position),
               m.amname, i.indisprimary, i.indisunique
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
         WHERE i.indrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) AND i.indpred IS NULL AND i.indexprs IS NULL
           AND (i.indnatts = 1 OR i.indisunique)
         ORDER BY c.relname
        """,
        (schema, table),
    ).fetchall()
    return [Index(*row) for row in rows]


def _free_name(connection: Connection, schema: str, index: Index, table: str) -> str:
    """An index's name in another table; where another table's index has that, the one with a digest."""
    name = index.name_for(table)
    statement = "SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = %s::regnamespace AND c.relname = %s"
    if connection.execute(statement, (schema, name)).fetchone() is None:
        return name
    return index.name_for(table, is_taken=True)
