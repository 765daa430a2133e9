"""The static SQL of geo and h3: numbered files, run whole when a schema is missing or a file has changed, and never taken back."""

from __future__ import annotations

from typing import Any

import psycopg

from codegen import catalog, generate, shadow
from codegen.steps import Step

SCHEMAS = ("geo", "h3")
"""The schemas that static SQL makes, and that others fill."""

SCHEMA_FILE = "01_schema.sql"
"""The file of geo and of h3 that makes the schema."""

MARK = "-- static SQL of geo and h3, SHA-256 "


def mark() -> str:
    """The line in a deployment's SQL that says which static SQL it ran."""
    return MARK + generate.static_fingerprint()


def differences(connection: psycopg.Connection[Any]) -> list[str]:
    """What is missing or otherwise than the files make it, for people. What others made in these schemas is theirs."""
    with connection.transaction():
        live = catalog.read(connection, SCHEMAS)
        with shadow.aside(connection, SCHEMAS):
            shadow.run(connection, steps(connection, anew=True))
            wanted = catalog.read(connection, SCHEMAS)
    found = [one for one in catalog.notable(catalog.differences(live, wanted), live, wanted) if one.wanted is not None]
    return [str(one) for one in found if ("schema", one.name) != one.key or one.live is not None]


def steps(connection: psycopg.Connection[Any], *, anew: bool) -> list[Step]:
    """The files as steps, if they are due. `anew`: there is no record of what was run."""
    if not _is_due(connection, anew=anew):
        return []
    files = list(generate.static_sql())
    schemas = tuple(content for path, content in files if path.name == SCHEMA_FILE)
    others = tuple(content for path, content in files if path.name != SCHEMA_FILE)
    return [Step("schemas geo and h3", schemas, as_owner=False), Step("static SQL of geo and h3", (*others, mark() + "\n"))]


def _is_due(connection: psycopg.Connection[Any], *, anew: bool) -> bool:
    """Whether geo or h3 is missing, or what makes them has changed since it was run last."""
    row = connection.execute("SELECT to_regnamespace('geo') IS NULL OR to_regnamespace('h3') IS NULL").fetchone()
    if (row and row[0]) or anew:
        return True
    row = connection.execute(
        "SELECT position(%s IN sql) = 0 FROM app.schema_deployments WHERE position(%s IN sql) > 0 ORDER BY deployment_id DESC LIMIT 1",
        [mark(), MARK],
    ).fetchone()
    return row is None or bool(row[0])
