"""A point before each statement of the engine's PL/pgSQL functions, where a backend can be ended or stopped.

Where statements begin is not guessed: plpgsql_check lists them with their lines. `ASSERT tests.point()` is put before each
statement that begins its line (in this house every one does), and the function is replaced by itself so. Whatever the
functions become, their statements are found. ASSERT, because it leaves FOUND and ROW_COUNT as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_FUNCTIONS = """
SELECT p.oid, p.oid::regprocedure::text, p.prosrc, pg_get_functiondef(p.oid)
  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
 WHERE p.pronamespace IN ('app'::regnamespace, 'platform'::regnamespace) AND l.lanname = 'plpgsql'
   AND p.prorettype <> 'trigger'::regtype AND p.proname NOT LIKE 'validate\\_%'
 ORDER BY 2
"""
_STATEMENTS = """
SELECT lineno, stmtname FROM plpgsql_profiler_function_statements_tb(%s::oid::regprocedure)
 WHERE stmtname <> 'statement block' ORDER BY lineno
"""
GATE = (7117, 1)


def instrument(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Replace each function by itself with points; the number of points of each."""
    connection.execute("LOAD 'plpgsql_check'")
    points: dict[str, int] = {}
    for oid, signature, source, definition in connection.execute(_FUNCTIONS).fetchall():
        lines = source.split("\n")
        starts = sorted({line for line, _ in connection.execute(_STATEMENTS, (oid,)).fetchall()})
        assert starts, f"{signature} has no statements"
        for line in starts:
            text = lines[line - 1]
            # A line that ends another statement, or begins in the middle of one, would not compile with a call before it.
            assert re.match(r"\s*[A-Za-z]", text), f"{signature}, line {line}: no statement begins with {text!r}"
            lines[line - 1] = "ASSERT tests.point(); " + text
        assert definition.count(source) == 1
        connection.execute(definition.replace(source, "\n".join(lines)).encode())
        points[signature] = len(starts)
    return points


def count_points(connection: psycopg.Connection[Any]) -> int:
    """How many points this session has passed since `at_point`."""
    row = connection.execute("SELECT coalesce(nullif(current_setting('tests.point', true), ''), '0')::integer").fetchone()
    assert row is not None
    return int(row[0])


def at_point(connection: psycopg.Connection[Any], number: int, then: str) -> None:
    """From here on, this session's point of that number is where it dies, or waits at the gate. 0: none."""
    connection.execute(
        "SELECT set_config('tests.point', '0', false), set_config('tests.stop_at', %s, false), set_config('tests.then', %s, false)",
        (str(number), then),
    )


@contextmanager
def closed_gate(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Who comes to a point to wait, waits until the block ends."""
    connection.execute("SELECT pg_advisory_lock(%s, %s)", GATE)
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s, %s)", GATE)
