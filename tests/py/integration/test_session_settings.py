"""Nothing depends on the session: the same road under settings that a stranger, or a careless DBA, may have made.

The functions' bodies are compiled in the session that calls them, with its settings: so a client that turns
standard_conforming_strings off must not change what a pattern in the engine means.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb, set_json_loads

from tests.py.platform.together import value
from tests.py.support.server import Database, Role

CLIENT = "ddh_v1"
ERROR = {"code": "X", "message": "caf\u00e9", "retryable": True}

EVIL = """
    CREATE SCHEMA evil;
    GRANT USAGE ON SCHEMA evil TO PUBLIC;
    CREATE FUNCTION evil.wrong() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil was called'; END $$;
    CREATE FUNCTION evil.clock() RETURNS timestamptz LANGUAGE sql AS $$ SELECT evil.wrong()::timestamptz $$;
    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT evil.wrong()::timestamptz $$;
    CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT evil.wrong() $$;
    CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT evil.wrong() $$;
    CREATE FUNCTION evil.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS $$ SELECT evil.wrong() $$;
    CREATE FUNCTION evil.hashtext(text) RETURNS integer LANGUAGE sql AS $$ SELECT evil.wrong()::integer $$;
    CREATE FUNCTION evil.array_position(anyarray, anyelement) RETURNS integer LANGUAGE sql AS $$ SELECT evil.wrong()::integer $$;
    CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.wrong() IS NULL $$;
    CREATE FUNCTION evil.never(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.wrong() IS NULL $$;
    CREATE FUNCTION evil.never(jsonb, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.wrong() IS NULL $$;
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never);
    CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.never);
    CREATE OPERATOR evil.? (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = evil.never);
    CREATE TABLE evil.jobs (x integer);
    CREATE TABLE evil.tasks (x integer);
"""

HOSTILE = {
    "search_path": "evil, pg_catalog, public",
    "TimeZone": "Pacific/Apia",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "on",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "client_encoding": "LATIN1",
    "client_min_messages": "error",
    "row_security": "on",
    "plan_cache_mode": "force_generic_plan",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
    "array_nulls": "off",
    "xmloption": "document",
    "default_transaction_deferrable": "on",
}

VOLATILE = {
    "created_at",
    "started_at",
    "completed_at",
    "updated_at",
    "deadline",
    "correlation_id",
    "checked_at",
    "retry_at",
    "elapsed_seconds",
}


def _loads(data: str | bytes) -> Any:
    return json.loads(data)


def _loads_latin1(data: str | bytes) -> Any:
    """As the connection has it; psycopg would take it for UTF-8."""
    return json.loads(data if isinstance(data, str) else data.decode("latin-1"))


def _strip(document: Any) -> Any:
    """Without what differs from one moment, or from one run, to the next."""
    if isinstance(document, dict):
        return {key: _strip(inner) for key, inner in document.items() if key not in VOLATILE}
    if isinstance(document, list):
        return [_strip(inner) for inner in document]
    return document


def _refusal(connection: psycopg.Connection[Any], call: sql.SQL, *arguments: Any) -> Any:
    with pytest.raises(psycopg.Error) as refusal:
        connection.execute(call, arguments)
    return refusal.value.sqlstate, _strip(json.loads(refusal.value.diag.message_detail or "{}"))


def _road(database: Database, settings: dict[str, str]) -> dict[str, Any]:
    """A client's request, an engine's job, an operator's acts: what each of them was told."""

    def connect(role: Role) -> psycopg.Connection[Any]:
        connection = database.connect(role)
        for name, setting in settings.items():
            connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, setting))
        set_json_loads(_loads if connection.info.encoding == "utf-8" else _loads_latin1, connection)
        return connection

    told: dict[str, Any] = {}
    with connect("admin") as admin, connect("ddh") as ddh, connect("worker") as worker:
        told["root"] = value(admin, "SELECT platform.allow_source_root(%s, '/data/hostile/')", CLIENT)
        submit = sql.SQL(
            "SELECT request_id, status, created, revision, warnings FROM platform.submit_request(%s, %s, '1', %s, processing_config => %s)"
        )
        config = Jsonb({"title": "caf\u00e9 \\ 'x'", "priority": 3, "max_rejects": 10})
        told["submitted"] = ddh.execute(submit, ("Stra\u00dfen", "d'\u00e9t\u00e9", "/data/hostile/a.gpkg", config)).fetchone()
        request = told["submitted"][0]
        told["again"] = ddh.execute(submit, ("Stra\u00dfen", "d'\u00e9t\u00e9", "/data/hostile/a.gpkg", config)).fetchone()
        told["refused"] = [
            _refusal(ddh, submit, "d", "r", path, Jsonb({}))
            for path in ("/data/hostile/../x.gpkg", "/data/hostile/a\\b.gpkg", "/data/hostile/x.vrt", "/data/other/a.gpkg",
                         "/data/hostile/a\x07.gpkg", "[1]", "[", "/data/hostile/a", "ftp://x/y.gpkg")
        ]  # fmt: skip
        wrong = Jsonb({"max_rejects": -1.5, "x": 1, "table_name": "9 a"})
        told["refused"].append(_refusal(ddh, submit, "d", "r", "/data/hostile/a.gpkg", wrong))
        told["status"] = _strip(value(ddh, "SELECT platform.get_request_status(%s)", request))

        number = Jsonb({"n": 3, "message": "a\\b 'c' \u00e9"})
        told["job"] = value(worker, "SELECT app.submit_job('hello_world', %s)", number)
        later = Jsonb({"run_at": "2099-02-03T04:05:06.789+05:30", "unique_key": "k", "identity": "later"})
        told["delayed"] = value(worker, "SELECT app.submit_job_with_options('hello_world', %s, %s)", number, later)
        told["when"] = value(admin, "SELECT pg_catalog.extract('epoch', run_at)::text FROM app.jobs WHERE unique_key IS NOT NULL")
        told["wrong"] = _refusal(worker, sql.SQL("SELECT app.submit_job('hello_world', %s, 1000)"), Jsonb({"n": "3", "y": None}))
        turn = "SELECT task_id, attempt, job_type, stage, task_type, task_index, parameters FROM app.turn('w', %s, NULL, %s)"
        claimed = sorted(worker.execute(turn, (Jsonb([]), 4)).fetchall(), key=lambda row: row[0])
        told["claimed"] = claimed
        reports = [{"task_id": row[0], "attempt": row[1], "result_data": {"f": 0.1, "s": "\\"}} for row in claimed[:3]]
        reports.append({"task_id": claimed[3][0], "attempt": claimed[3][1], "error": ERROR})
        told["next"] = sorted(worker.execute(turn, (Jsonb(reports), 10)).fetchall(), key=lambda row: row[0])
        told["malformed"] = _refusal(worker, sql.SQL("SELECT * FROM app.turn('w', %s, NULL, 1)"), Jsonb([{"task": 1}]))
        told["results"] = worker.execute("SELECT task_index, result_data FROM app.stage_results(%s, 1)", (told["job"],)).fetchall()
        told["heart"] = worker.execute("SELECT * FROM app.heartbeat('w')").fetchall()
        told["paused"] = [value(admin, "SELECT app.pause_client(%s, 'x')", CLIENT), value(admin, "SELECT app.resume_client(%s)", CLIENT)]
        schedule = "SELECT pg_catalog.extract('minute', app.schedule_job('s', '*/7 5 1-3,*/9 feb-jun *', 'hello_world', '{}', '{}'))::text"
        told["schedule"] = _refusal(admin, sql.SQL(schedule))
        named = "SELECT pg_catalog.extract('epoch', app.schedule_job('s', '17 5 29 FEB *', 'hello_world', %s, '{}', 'Europe/Berlin'))::text"
        told["scheduled"] = value(admin, named, Jsonb({"n": 1}))
        told["cancelled"] = _strip(value(ddh, "SELECT platform.cancel_request(%s, %s)", request, "\u00e7a suffit \\"))
        told["why"] = value(worker, "SELECT pg_catalog.split_part(app.why(%s), '.', 1)", told["delayed"])
        told["janitor"] = value(admin, "SELECT app.run_janitor()") > 0
        told["janitor_error"] = value(admin, "SELECT error FROM app.janitor_runs ORDER BY run_id DESC LIMIT 1")
        told["health"] = value(admin, "SELECT platform.health()")["components"]["queue"]["status"]
        told["released"] = value(worker, "SELECT app.release_tasks('w')")
    return told


def test_the_road_is_the_same(engine_database: Database, database: Database) -> None:
    with engine_database.connect() as admin:
        admin.execute(EVIL)
    assert _road(engine_database, HOSTILE) == _road(database, {})


def test_the_settings_are_hostile(engine_database: Database) -> None:
    """Without protection each of them shows: the test before this one would prove nothing otherwise."""
    with engine_database.connect() as connection:
        connection.execute(EVIL)
        connection.execute(
            "CREATE FUNCTION evil.naive() RETURNS text LANGUAGE plpgsql"
            " AS $f$ BEGIN RETURN length('\\d') || (date '2026-02-01')::text; END $f$"
        )
        before = value(connection, "SELECT evil.naive()")
    with engine_database.connect() as connection:
        for name, setting in HOSTILE.items():
            connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, setting))
        assert value(connection, "SELECT evil.naive()") != before
        with pytest.raises(psycopg.Error, match="evil was called"):
            connection.execute("SELECT lower('A')")
