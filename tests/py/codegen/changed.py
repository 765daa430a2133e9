"""geomill's own schemas with something changed: what a deploy of the next release would find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from codegen.ddl import Statement
from codegen.desired import Desired, ours


def changed(
    tables: Mapping[str, str] | None = None, more: tuple[Statement, ...] = (), replaced: Mapping[str, str] | None = None
) -> Desired:
    """`tables`: table to text put before its first column. `more`: statements at the end. `replaced`: text to text, anywhere."""
    wanted = ours()
    made = []
    for statement in wanted.statements:
        sql = statement.sql
        if statement.kind == "table" and tables and statement.name in tables:
            sql = sql.replace("(\n", f"(\n    {tables[statement.name]},\n", 1)
        for old, new in (replaced or {}).items():
            sql = sql.replace(old, new)
        made.append(replace(statement, sql=sql))
    return replace(wanted, statements=(*made, *more))
