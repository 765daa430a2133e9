"""What was done to the schemas: app.schema_deployments, and the generated schema as it is and as it was, for comparing offline.

The table is itself generated, and so may be older or newer than this code: what it has no column for is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from codegen import generate
from codegen.quoting import names
from codegen.settings import settings
from codegen.version import git_revision, version

TABLE = sql.SQL("app.schema_deployments")
OBJECT = "-- object: "
CURRENT, BACKUP = "schema_current.sql", "schema_backup.sql"


def begin(connection: psycopg.Connection[Any], kind: str, plan_id: str, allowed: Iterable[str]) -> int | None:
    """A row for a change that is under way; None where there is no table for it yet."""
    if not {"status", "plan_id"} <= _columns(connection):
        return None
    return _insert(
        connection, {"kind": kind, "status": "started", "plan_id": plan_id, "allowed": list(allowed), "sql": "", "catalog_fingerprint": ""}
    )


def complete(connection: psycopg.Connection[Any], row: int | None, values: Mapping[str, Any], *, ended: bool) -> int:
    """What was done, in the transaction that did it; `ended` if nothing comes after. Interrupted changes before it are over."""
    said = {**values, "status": "completed" if ended else "started"}
    if ended and "completed_at" in _columns(connection):
        said["completed_at"] = sql.SQL("clock_timestamp()")
    if row is None:
        row = _insert(connection, said)
    else:
        _update(connection, row, said)
    if "status" in _columns(connection):
        ending = sql.SQL("UPDATE {} SET status = 'failed' WHERE status = 'started' AND deployment_id < {}").format(TABLE, sql.Literal(row))
        connection.execute(ending)
    return row


def end(connection: psycopg.Connection[Any], row: int, catalog_fingerprint: str) -> None:
    """All that came after is done, too."""
    values = {"status": "completed", "catalog_fingerprint": catalog_fingerprint, "completed_at": sql.SQL("clock_timestamp()")}
    _update(connection, row, values)


def interrupted_plan(connection: psycopg.Connection[Any]) -> str | None:
    """The plan of a deploy that began and did not end, if the last one did not."""
    if not {"status", "plan_id"} <= _columns(connection):
        return None
    row = connection.execute(
        "SELECT plan_id FROM app.schema_deployments WHERE status = 'started' ORDER BY deployment_id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else row[0]


def last(connection: psycopg.Connection[Any]) -> dict[str, Any] | None:
    """The last change that ended."""
    columns = _columns(connection)
    if not {"status", "reverse_plan"} <= columns:
        return None
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            "SELECT * FROM app.schema_deployments WHERE status <> 'failed' ORDER BY deployment_id DESC LIMIT 1"
        ).fetchone()


def keep_schema(database: str) -> Path:
    """Write the generated schema beside the database's name; the one that was there becomes the backup."""
    folder = folder_of(database)
    folder.mkdir(parents=True, exist_ok=True)
    current, said = folder / CURRENT, schema_text()
    if current.exists():
        if current.read_text() == said:
            return current
        current.replace(folder / BACKUP)
    current.write_text(said)
    return current


def folder_of(database: str) -> Path:
    """Where the generated schemas of a database are kept."""
    return settings().home / "schema" / database


def schema_text() -> str:
    """The generated schema: each object under a line that names it."""
    blocks = [f"{OBJECT}{statement.kind} {statement.name}\n{statement.sql.strip()}\n" for statement in generate.statements()]
    return f"-- geomill {version()}, fingerprint {generate.fingerprint()}\n\n" + "\n".join(blocks)


def objects(text: str) -> dict[str, str]:
    """Object to SQL of a text that `schema_text` wrote. What has one name in two statements is one object."""
    result: dict[str, str] = {}
    for block in text.split(OBJECT)[1:]:
        named, _, body = block.partition("\n")
        result[named] = f"{result[named]}\n{body.strip()}" if named in result else body.strip()
    return result


def _insert(connection: psycopg.Connection[Any], values: Mapping[str, Any]) -> int:
    always = {
        "deployed_by": connection.info.user,
        "software_version": version(),
        "git_revision": git_revision(),
        "fingerprint": generate.fingerprint(),
        "kind": "deploy",
    }
    said = _fitting(connection, {**always, **values})
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING deployment_id").format(
        TABLE, names(said), sql.SQL(", ").join([_value(value) for value in said.values()])
    )
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


def _update(connection: psycopg.Connection[Any], row: int, values: Mapping[str, Any]) -> None:
    said = _fitting(connection, values)
    changes = sql.SQL(", ").join([sql.SQL("{} = {}").format(names([column]), _value(value)) for column, value in said.items()])
    connection.execute(sql.SQL("UPDATE {} SET {} WHERE deployment_id = {}").format(TABLE, changes, sql.Literal(row)))


def _value(value: Any) -> sql.Composable:
    return value if isinstance(value, sql.Composable) else sql.Literal(Jsonb(value) if isinstance(value, dict | list) else value)


def _fitting(connection: psycopg.Connection[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    columns = _columns(connection)
    return {column: value for column, value in values.items() if column in columns}


def _columns(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute(
        """
        SELECT attname FROM pg_catalog.pg_attribute
         WHERE attrelid = pg_catalog.to_regclass('app.schema_deployments') AND attnum > 0 AND NOT attisdropped
        """
    )
    return {row[0] for row in rows}
