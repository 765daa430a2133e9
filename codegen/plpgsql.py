"""plpgsql_check's judgement of every function: names that do not exist, types that do not fit, before anybody calls it.

The extension is no part of a deploy. Where the server has it and the database has not, it is made and rolled back with the
transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

_CHECK = """
    SELECT p.oid::regprocedure::text, c.lineno, c.message
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
     CROSS JOIN LATERAL (
            SELECT 0::oid AS relation WHERE p.prorettype <> 'trigger'::regtype
            UNION ALL
            SELECT DISTINCT t.tgrelid FROM pg_catalog.pg_trigger AS t WHERE t.tgfoid = p.oid
           ) AS bound
     CROSS JOIN LATERAL plpgsql_check_function_tb(
            p.oid, bound.relation, fatal_errors => true, other_warnings => false, extra_warnings => false
           ) AS c
     WHERE p.pronamespace = ANY (%s::regnamespace[]) AND c.level = 'error'
     ORDER BY 1, 2
"""


def is_available(connection: psycopg.Connection[Any]) -> bool:
    """Whether functions can be checked here: the extension is installed, or the caller may install it."""
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'plpgsql_check')
            OR (EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'plpgsql_check')
                AND (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))
        """
    ).fetchone()
    return bool(row and row[0])


def errors(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> list[str]:
    """What plpgsql_check finds wrong with the functions of some schemas, for people."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute("SET LOCAL search_path = public")
        connection.execute("CREATE EXTENSION IF NOT EXISTS plpgsql_check SCHEMA public")
        found = connection.execute(_CHECK.encode(), [list(schemas)]).fetchall()
    return [f"wrong      function {function}, line {line}: {message}" for function, line, message in found]
