"""Names and literals in generated SQL, as a person would write them.

psycopg.sql quotes every identifier and escapes backslashes in E'' strings, which is right and hard to review. Here a name
is written bare because it is refused unless it may stand bare, and a string keeps its backslashes because the generated
SQL is only ever run with standard_conforming_strings on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum

from psycopg import sql

from codegen.refusal import RefusedError

LONGEST_NAME = 63
"""PostgreSQL cuts longer names without a word."""

_BARE = re.compile(r"[a-z_][a-z0-9_]*\Z")

# pg_get_keywords(), catcode R and T, PostgreSQL 15 to 17: a column of such a name would have to be quoted in every query.
RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
    concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
    full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning
    right select session_user similar some symmetric system_user table tablesample then to trailing true union unique user
    using variadic verbose when where window with
    """.split()  # noqa: SIM905 (a list to read, and to compare with the server's)
)


def name(*parts: str) -> sql.Composable:
    """A name, qualified if several parts are given, without quotes; one that would need them is refused."""
    for part in parts:
        where = ".".join(parts)
        if not _BARE.match(part):
            raise RefusedError(where, f"{part!r} is no plain SQL name", "use lower-case letters, digits and underscores")
        if part in RESERVED:
            raise RefusedError(where, f"{part!r} is a reserved word of SQL", "choose another word")
        if len(part.encode()) > LONGEST_NAME:
            raise RefusedError(where, f"{part!r} is longer than {LONGEST_NAME} bytes", "name it explicitly and shorter")
    return sql.SQL(".").join([sql.SQL(part) for part in parts])


def names(columns: Iterable[str]) -> sql.Composable:
    """Column names, separated by commas."""
    return sql.SQL(", ").join([name(column) for column in columns])


def text(value: str) -> sql.Composable:
    """A string literal."""
    if "\0" in value:
        raise RefusedError(repr(value), "PostgreSQL text cannot hold NUL", "leave the NUL out")
    return sql.SQL("'{}'").format(sql.SQL(value.replace("'", "''")))


def literal(value: object) -> sql.Composable:
    """A literal of a boolean, number, string or enum label."""
    if isinstance(value, bool):
        return sql.SQL("true" if value else "false")
    if isinstance(value, Enum):
        return text(str(value.value))
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int | float | Decimal):
        return sql.SQL(repr(value) if not isinstance(value, Decimal) else str(value))
    raise RefusedError(repr(value), f"no SQL literal is known for a {type(value).__name__}", "give Column(default=...) in SQL")
