"""What a deploy is allowed to destroy is kept first, as CSV beside the schemas: a flag given in haste costs no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from codegen.plan import Plan
from codegen.settings import settings


def keep_lost(connection: psycopg.Connection[Any], plan: Plan) -> list[Path]:
    """The tables of the plan's data losses, each with all its columns, in a folder named after the plan."""
    tables = sorted({hazard.table for hazard in plan.hazards if hazard.name == "data-loss" and hazard.table})
    folder = settings().home / "backups" / connection.info.dbname / plan.id[:12]
    return [_keep(connection, table, folder / f"{table}.csv") for table in tables]


def _keep(connection: psycopg.Connection[Any], table: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(".part")
    copy = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv, HEADER)").format(sql.SQL(table))
    with beside.open("wb") as file, connection.cursor() as cursor, cursor.copy(copy) as rows:
        beside.chmod(0o600)
        for chunk in rows:
            file.write(chunk)
    beside.rename(path)
    return path
