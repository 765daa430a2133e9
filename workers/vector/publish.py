"""A loaded table becomes the published one: indexes, statistics, then one swap by rename.

Readers see the old table until the caller's transaction commits, then the new one, never neither. The old one's locks are
asked for last, for a second at a time, so that no queue forms behind them. A table that is not this request's is never
touched: geomill's tables say in the last line of their comment whose they are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from codegen.messages.vector import VectorReport
from workers.errors import TaskError
from workers.geo_table import GeoTableBuilder, TableColumn, bounded, named_after, rename_statements
from workers.vector import keys as key_columns
from workers.vector import shared

SCHEMA = "geo"
READER = "geomill_reader"
WORKERS = "geomill_worker"
LOCK_ATTEMPTS = 30
LOCK_SECONDS = 1
_STAGING = 24
_MARK = re.compile(
    # The last word is that of a version before.
    r"geomill: client=(?P<client>\S+) request=(?P<request>\S+) revision=(?P<revision>\d+) job=(?P<job>\S+)(?: first)?$"
)


@dataclass(frozen=True)
class Mark:
    """Whose a table is: the last line of its comment."""

    client_id: str
    request_id: str
    revision: int
    job_id: str

    @classmethod
    def of(cls, comment: str | None) -> Mark | None:
        """The mark in a comment; None for a table that is not geomill's."""
        found = _MARK.match((comment or "").rpartition("\n")[2])
        if found is None:
            return None
        return cls(found["client"], found["request"], int(found["revision"]), found["job"])

    def __str__(self) -> str:
        return f"geomill: client={self.client_id} request={self.request_id} revision={self.revision} job={self.job_id}"


@dataclass(frozen=True)
class Contents:
    """What a loaded table holds."""

    rows: int
    bbox: list[float] | None


def staging_name(job_id: str, layer: int = 0) -> str:
    """The table that a job loads into; the layers after the first have a number."""
    return f"_load_{job_id[:_STAGING]}" + (f"_{layer}" if layer else "")


def name_of(report: VectorReport) -> str:
    """A report's table, without its schema."""
    return report.table.removeprefix(f"{SCHEMA}.")


def layer_table(table: str, suffix: str | None) -> str:
    """The table of a layer, by the request's name for it."""
    return table if suffix is None else bounded(f"{table}_{suffix}")


def loaded(report: VectorReport) -> list[tuple[VectorReport, str]]:
    """A request's tables, each with the one it was loaded into; where a worker of the version before has swapped it in, itself."""
    numbered = [(one, position if one.number is None else one.number) for position, one in enumerate([report, *report.more])]
    return [(one, name_of(one) if report.job_id is None else staging_name(report.job_id, number)) for one, number in numbered]


def _job_of(staging: str) -> str:
    """What staging_name gives for the job's first layer."""
    return staging[: len("_load_") + _STAGING]


def hand_over(connection: psycopg.Connection[Any], staging: str) -> None:
    """Give a table to all workers: the one that replaces or removes it may have another login than this one."""
    connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(SCHEMA, staging), sql.Identifier(WORKERS)))


def contents(connection: psycopg.Connection[Any], table: str, geometry_column: str) -> Contents:
    """Count the rows of a loaded table, and find their box."""
    require_staging(connection, table)
    [(rows, *box)] = connection.execute(
        sql.SQL("""
            SELECT c.rows, public.ST_XMin(d.box), public.ST_YMin(d.box), public.ST_XMax(d.box), public.ST_YMax(d.box)
              FROM (SELECT t.rows, public.ST_SetSRID(t.box::public.geometry, t.srid) AS box, t.srid,
                           greatest(public.ST_XMax(t.box) - public.ST_XMin(t.box), public.ST_YMax(t.box) - public.ST_YMin(t.box)) AS side
                      FROM (SELECT count(*) AS rows, public.ST_Extent({geometry}) AS box, max(public.ST_SRID({geometry})) AS srid
                              FROM {table}) AS t) AS c
             -- The sides of a box in another CRS are curves: its corners alone are not its extent.
             CROSS JOIN LATERAL (SELECT CASE WHEN c.srid = 4326 OR c.side = 0 THEN public.ST_Transform(c.box, 4326)
                                             ELSE public.ST_Transform(public.ST_Segmentize(c.box, c.side / 50), 4326) END AS box) AS d
        """).format(geometry=sql.Identifier(geometry_column), table=sql.Identifier(SCHEMA, table))
    ).fetchall()
    return Contents(int(rows), None if box[0] is None else [max(-180.0, box[0]), max(-90.0, box[1]), min(180.0, box[2]), min(90.0, box[3])])


def complete(
    connection: psycopg.Connection[Any],
    builder: GeoTableBuilder,
    columns: Sequence[TableColumn],
    staging: str,
    indexes: Sequence[str],
    keys: Sequence[str],
    check: Callable[[], None],
) -> None:
    """Key, indexes, trigger, comments and statistics of the loaded table, while nobody waits for it."""
    connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
    for statement in builder.complete_table(columns, staging, SCHEMA, indexes=indexes):
        check()
        connection.execute(statement)
    if keys:
        key_columns.create_index(connection, SCHEMA, staging, keys)
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(SCHEMA, staging)))


def swap(
    connection: psycopg.Connection[Any],
    staging: str,
    table: str,
    indexed: Sequence[str],
    keys: Sequence[str],
    mark: Mark,
    words: str,
    client_role: str,
    mode: str,
    check: Callable[[], None],
) -> None:
    """Put the complete table in the place of the published one, and let its client read it."""
    # An operator may take the task up long after its request has ended and its leftovers were discarded.
    require_staging(connection, staging)
    grants: list[shared.Grant] = []
    if writable(connection, table, mark, mode) is not None:
        grants = shared.grants(connection, SCHEMA, table)
        _drop(connection, table, check)
    # Whoever lets go of what it shows may be about to put the table in its place.
    connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.Identifier(SCHEMA, staging)))
    is_view = shared.is_view(connection, SCHEMA, staging)
    name, kind = sql.Identifier(SCHEMA, table), sql.SQL("VIEW" if is_view else "TABLE")
    if is_view:
        connection.execute(sql.SQL("ALTER VIEW {} RENAME TO {}").format(sql.Identifier(SCHEMA, staging), sql.Identifier(table)))
    else:
        _rename(connection, staging, table, indexed, keys)
    comment = sql.Literal(f"{words.replace(chr(0), '')}\n\n{mark}")
    connection.execute(sql.SQL("COMMENT ON {} {} IS {}").format(kind, name, comment))
    connection.execute(sql.SQL("GRANT SELECT ON {} TO {}, {}").format(name, sql.Identifier(client_role), sql.Identifier(READER)))
    # What an administrator granted outlives the table that is replaced.
    shared.grant(connection, SCHEMA, table, grants)


def _rename(connection: psycopg.Connection[Any], staging: str, table: str, indexed: Sequence[str], keys: Sequence[str]) -> None:
    """Give a loaded table its name, and everything that is named after it."""
    taken = _taken(connection, named_after(table, indexed))
    for statement in rename_statements(indexed, staging, table, SCHEMA, taken=taken):
        connection.execute(statement)
    if keys:
        connection.execute(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier(SCHEMA, key_columns.index_name(staging, keys)), sql.Identifier(key_columns.index_name(table, keys))
            )
        )


def writable(connection: psycopg.Connection[Any], table: str, mark: Mark, mode: str) -> Mark | None:
    """The mark of the table that is there; None if there is none.

    Refuses a table that is not this request's, and not its client's where the mode is another than create.
    """
    row = connection.execute(
        """
        SELECT c.relkind IN ('r', 'v') AND pg_has_role(c.relowner, 'USAGE'),
               pg_catalog.obj_description(c.oid, 'pg_class')
          FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = %s::regnamespace AND c.relname = %s
        """,
        (SCHEMA, table),
    ).fetchone()
    if row is None:
        return None
    found = Mark.of(row[1])
    of_request = found is not None and found.request_id == mark.request_id
    of_client = found is not None and found.client_id == mark.client_id and mode != "create"
    if not row[0] or found is None or not (of_request or of_client):
        raise TaskError(
            "TABLE_NAME_TAKEN", f"geo.{table} is there, and is not this request's", category="user", field="table_name", value=table,
            remediation="Give another processing_config.table_name, or have an administrator rename or drop what is there",
        )  # fmt: skip
    if of_request and found.revision > mark.revision:
        raise TaskError(
            "SUPERSEDED", f"geo.{table} already holds revision {found.revision}", category="user", field="revision", value=mark.revision,
            remediation="Nothing is to be done: a later revision has been published",
        )  # fmt: skip
    return found


def _mark_of(connection: psycopg.Connection[Any], table: str) -> Mark | None:
    """Whose a table is; None if it is not there, or not geomill's."""
    row = connection.execute(
        """
        SELECT pg_catalog.obj_description(c.oid, 'pg_class')
          FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = %s::regnamespace AND c.relname = %s
        """,
        (SCHEMA, table),
    ).fetchone()
    return None if row is None else Mark.of(row[0])


def withdraw_rows(connection: psycopg.Connection[Any], table: str, request_id: str, client_id: str, job_ids: Sequence[str]) -> int:
    """Delete the rows that jobs of a request put into a table that another request of its client made; how many there were."""
    mark = _mark_of(connection, table)
    if mark is None or mark.client_id != client_id or mark.request_id == request_id:
        return 0
    statement = sql.SQL("DELETE FROM {} WHERE etl_job_id = ANY (%s)").format(sql.Identifier(SCHEMA, table))
    return connection.execute(statement, (list(job_ids),)).rowcount


def discard(connection: psycopg.Connection[Any], job_ids: Sequence[str], check: Callable[[], None]) -> list[str]:
    """Drop what the jobs of a revision loaded and never published; returns what there was."""
    staging = {staging_name(job_id) for job_id in job_ids}
    return _drop_all(connection, lambda name, mark: mark is None and _job_of(name) in staging, check)


def retire(connection: psycopg.Connection[Any], mark: Mark, tables: Sequence[str], check: Callable[[], None]) -> list[str]:
    """Drop what earlier revisions of the request published under names that this one has not; returns what there was."""

    def stale(name: str, found: Mark | None) -> bool:
        return found is not None and found.request_id == mark.request_id and found.revision < mark.revision and name not in tables

    return _drop_all(connection, stale, check)


def withdraw(
    connection: psycopg.Connection[Any], request_id: str, revision: int, job_ids: Sequence[str], check: Callable[[], None]
) -> list[str]:
    """Drop the table that a request published in this revision or before, and what its jobs loaded; returns what there was."""
    staging = {staging_name(job_id) for job_id in job_ids}

    def ours(name: str, mark: Mark | None) -> bool:
        if mark is None:
            return _job_of(name) in staging
        return mark.request_id == request_id and mark.revision <= revision

    return _drop_all(connection, ours, check)


def drop_unshown(connection: psycopg.Connection[Any], names: Collection[str], check: Callable[[], None]) -> list[str]:
    """Drop those of the tables that still no request shows, once nobody reads them; returns their names."""

    def unshown(name: str, _mark: Mark | None) -> bool:
        if name not in names:
            return False
        statement = "SELECT EXISTS (SELECT FROM platform.disagreements() AS d WHERE d.kind = 'table_of_nobody' AND d.subject = %s)"
        [(still,)] = connection.execute(statement, (f"{SCHEMA}.{name}",)).fetchall()
        return bool(still)

    return _drop_all(connection, unshown, check)


Wanted = Callable[[str, Mark | None], bool]
"""Whether a table of this name and mark is to go."""


def _drop_all(connection: psycopg.Connection[Any], wanted: Wanted, check: Callable[[], None]) -> list[str]:
    """Drop the worker's tables that are wanted; returns their names."""
    rows = connection.execute(
        """
        SELECT c.relname, pg_catalog.obj_description(c.oid, 'pg_class')
          FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'v') AND pg_has_role(c.relowner, 'USAGE')
         ORDER BY c.relname
        """,
        (SCHEMA,),
    ).fetchall()
    return [name for name, comment in rows if wanted(name, Mark.of(comment)) and _drop(connection, name, check, wanted)]


def _drop(connection: psycopg.Connection[Any], table: str, check: Callable[[], None], wanted: Wanted | None = None) -> bool:
    """Drop a table once nobody reads it, or leave it to a view of it. Asks for the lock again and again rather than once for long.

    With `wanted`, asks once more under the lock: a later revision may have put another table in its place. Returns whether
    it was dropped.
    """
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{LOCK_SECONDS}s")))
    for _ in range(LOCK_ATTEMPTS):
        check()
        try:
            with connection.transaction():
                shared.hold_views(connection, SCHEMA, table)
                if wanted is not None:
                    shared.hold(connection, SCHEMA, table)
                    if not wanted(table, _mark_of(connection, table)):
                        connection.execute("SET LOCAL lock_timeout = 0")
                        return False
                if not shared.bequeath(connection, SCHEMA, table):
                    drop = "DROP VIEW {}" if shared.is_view(connection, SCHEMA, table) else "DROP TABLE {}"
                    connection.execute(sql.SQL(drop).format(sql.Identifier(SCHEMA, table)))
        except (psycopg.errors.UndefinedTable, psycopg.errors.WrongObjectType):
            if _taken(connection, [table]):
                continue  # one of its views has moved, or it has inherited a table itself
            if wanted is None:
                raise
            connection.execute("SET LOCAL lock_timeout = 0")
            return False
        except psycopg.errors.LockNotAvailable:
            time.sleep(LOCK_SECONDS)
            continue
        except psycopg.errors.DependentObjectsStillExist as error:
            raise TaskError(
                "TABLE_HAS_DEPENDENTS", f"geo.{table} cannot be dropped while other objects depend on it: {error.diag.message_detail}",
                category="user", field="table_name", value=table,
                remediation="Drop them and try again; make them again afterwards, or publish under another version_id",
            ) from error  # fmt: skip
        connection.execute("SET LOCAL lock_timeout = 0")
        return True
    raise TaskError(
        "TABLE_BUSY", f"geo.{table} has been in use for {LOCK_ATTEMPTS * LOCK_SECONDS * 2} seconds", category="system", retryable=True,
        field="table_name", value=table, remediation="End the transactions that read it",
    )  # fmt: skip


def require_staging(connection: psycopg.Connection[Any], table: str) -> None:
    """Refuse to go on where what was loaded is gone."""
    if not _taken(connection, [table]):
        raise TaskError(
            "STAGING_GONE", f"What was loaded into {table} is no longer there", category="system",
            remediation="Retry the request: it begins anew",
        )  # fmt: skip


def _taken(connection: psycopg.Connection[Any], names: Sequence[str]) -> list[str]:
    rows = connection.execute(
        "SELECT c.relname FROM pg_catalog.pg_class AS c WHERE c.relnamespace = %s::regnamespace AND c.relname = ANY (%s)",
        (SCHEMA, list(names)),
    )
    return [row[0] for row in rows]
