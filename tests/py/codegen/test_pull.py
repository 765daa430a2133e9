"""What was changed by hand is found in the models' own words: pasted into them, nothing is left to deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest

from codegen import catalog, desired, generate, pull, shadow
from codegen.__main__ import main
from codegen.catalog import Catalog
from tests.py.support.server import Database

OWNED = "ALTER TABLE app.gadgets OWNER TO geomill_owner; ALTER TYPE app.mood OWNER TO geomill_owner"


class Case(NamedTuple):
    """What is done to the database, and what the models would have to say."""

    statements: str
    file: str
    where: str
    action: str
    text: str
    """How it begins."""


CASES = [
    Case(
        ("ALTER TABLE app.jobs ADD COLUMN note varchar(40) DEFAULT 'it''s' NOT NULL; COMMENT ON COLUMN app.jobs.note IS 'A \"note\"'"),
        "app.py",
        "class Job",
        "add",
        'note: str = Field(max_length=40, default="it\'s", description="A \\"note\\"")',
    ),
    Case(
        (
            "ALTER TABLE app.jobs ADD COLUMN seen timestamptz; COMMENT ON COLUMN app.jobs.seen IS 'Seen'; ALTER "
            "TABLE app.jobs ADD COLUMN size bigint DEFAULT -5; COMMENT ON COLUMN app.jobs.size IS 'Size'"
        ),
        "app.py",
        "class Job",
        "add",
        'size: int | None = Field(ge=-2**63, lt=2**63, default=-5, description="Size")',
    ),
    Case(
        (
            "ALTER TABLE app.api_requests ADD COLUMN twice bigint GENERATED ALWAYS AS (api_request_id * 2) STORED "
            "NOT NULL;COMMENT ON COLUMN app.api_requests.twice IS 'Twice'"
        ),
        "app.py",
        "class ApiRequest",
        "add",
        'twice: Annotated[int, Column(generated="(api_request_id * 2)")] = Field(ge=-2**63, lt=2**63',
    ),
    Case(
        (
            "ALTER TABLE app.api_requests ADD COLUMN state app.job_status DEFAULT 'failed'; COMMENT ON COLUMN "
            "app.api_requests.state IS 'State'; CREATE INDEX idx_api_requests_state ON app.api_requests (state) WHERE "
            "state IS NOT NULL"
        ),
        "app.py",
        "class ApiRequest",
        "add",
        'state: JobStatus | None = Field(default=JobStatus.FAILED, description="State")',
    ),
    Case(
        "ALTER TABLE app.task_errors DROP COLUMN worker_key",
        "app.py",
        "class TaskError",
        "remove",
        "worker_key:",
    ),
    Case(
        "ALTER TABLE app.janitor_runs ALTER COLUMN error TYPE varchar(500)",
        "app.py",
        "class JanitorRun",
        "replace",
        "error: str | None = Field(default=None, max_length=500",
    ),
    Case(
        "ALTER TABLE app.janitor_runs ALTER COLUMN tasks_reclaimed TYPE bigint",
        "app.py",
        "class JanitorRun",
        "replace",
        "tasks_reclaimed: int = Field(default=0, ge=0, lt=2**63",
    ),
    Case(
        "ALTER TABLE app.janitor_runs ALTER COLUMN stages_repaired DROP NOT NULL",
        "app.py",
        "class JanitorRun",
        "replace",
        "stages_repaired: int | None = Field(default=0",
    ),
    Case(
        "ALTER TABLE platform.rejects ALTER COLUMN source_row SET NOT NULL",
        "platform.py",
        "class Reject",
        "replace",
        "source_row: int = Field(ge=0",
    ),
    Case(
        "ALTER TABLE app.janitor_runs ALTER COLUMN workers_declared_dead SET DEFAULT 5",
        "app.py",
        "class JanitorRun",
        "replace",
        "workers_declared_dead: int = Field(ge=0, default=5",
    ),
    Case(
        "ALTER TABLE app.janitor_runs ALTER COLUMN skipped SET DEFAULT (1 > 2)",
        "app.py",
        "class JanitorRun",
        "replace",
        'skipped: Annotated[bool, Column(default="(1 > 2)")] = Field(description',
    ),
    Case(
        "ALTER TABLE platform.requests DROP CONSTRAINT requests_revision_check",
        "platform.py",
        "class Request",
        "replace",
        "revision: int = Field(default=1, description",
    ),
    Case(
        (
            "ALTER TABLE platform.clients DROP CONSTRAINT clients_priority_check; ALTER TABLE platform.clients ADD "
            "CONSTRAINT clients_priority_check CHECK (priority >= -7)"
        ),
        "platform.py",
        "class Client",
        "replace",
        "priority: int = Field(default=0, description",
    ),
    Case(
        "ALTER TABLE platform.clients ADD CONSTRAINT clients_title_check CHECK (title <> prefix)",
        "platform.py",
        "class Client",
        "replace",
        "__table__",
    ),
    Case(
        "DROP INDEX platform.idx_requests_open",
        "platform.py",
        "class Request",
        "replace",
        "__table__",
    ),
    Case(
        "CREATE INDEX idx_rejects_code ON platform.rejects (code, created_at DESC) WHERE source_row > 0",
        "platform.py",
        "class Reject",
        "replace",
        "__table__",
    ),
    Case(
        "CREATE UNIQUE INDEX idx_rejects_odd ON platform.rejects (lower(reason), (revision + 1)) INCLUDE (code)",
        "platform.py",
        "class Reject",
        "replace",
        "__table__",
    ),
    Case(
        "DROP INDEX platform.idx_source_roots_created_at",
        "platform.py",
        "class SourceRoot",
        "replace",
        "__table__",
    ),
    Case(
        "ALTER TABLE app.janitor_runs ADD CONSTRAINT janitor_runs_started_at_key UNIQUE (started_at)",
        "app.py",
        "class JanitorRun",
        "replace",
        "__table__",
    ),
    Case(
        "ALTER TABLE platform.clients DROP CONSTRAINT clients_prefix_key",
        "platform.py",
        "class Client",
        "replace",
        "prefix: str = Field(max_length=30",
    ),
    Case(
        "ALTER TABLE platform.webhook_deliveries DROP CONSTRAINT webhook_deliveries_request_id_fkey",
        "platform.py",
        "class WebhookDelivery",
        "replace",
        "request_id: str = Field(max_length=32",
    ),
    Case(
        (
            "ALTER TABLE platform.api_keys DROP CONSTRAINT api_keys_client_id_fkey; ALTER TABLE platform.api_keys "
            "ADD CONSTRAINT api_keys_client_id_fkey FOREIGN KEY (client_id) REFERENCES platform.clients ON DELETE "
            "RESTRICT"
        ),
        "platform.py",
        "class ApiKey",
        "replace",
        'client_id: Annotated[str, Column(references="platform.clients", on_delete="restrict")]',
    ),
    Case(
        "COMMENT ON TABLE platform.rejects IS 'Something else'",
        "platform.py",
        "class Reject",
        "replace",
        '"""Something else"""',
    ),
    Case(
        "COMMENT ON COLUMN platform.rejects.code IS 'Another'",
        "platform.py",
        "class Reject",
        "replace",
        'code: str = Field(max_length=100, description="Another")',
    ),
    Case(
        "COMMENT ON TYPE app.fan_out IS 'How many'",
        "enums.py",
        "class FanOut",
        "replace",
        '"""How many"""',
    ),
    Case(
        "ALTER TYPE app.fan_out ADD VALUE 'tree' AFTER 'count'",
        "enums.py",
        "class FanOut",
        "add",
        'TREE = "tree"',
    ),
    Case(
        "ALTER TYPE app.failure_policy ADD VALUE 'first' BEFORE 'fail_job'",
        "enums.py",
        "class FailurePolicy",
        "add",
        'FIRST = "first"',
    ),
    Case(
        "CREATE TYPE app.mood AS ENUM ('good', 'so so'); COMMENT ON TYPE app.mood IS 'A mood'",
        "enums.py",
        "ENUMS",
        "add",
        '        "mood": Mood,',
    ),
    Case(
        (
            "CREATE TABLE app.gadgets (gadget_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, label text NOT "
            "NULL CHECK (label <> ''), doc jsonb);COMMENT ON TABLE app.gadgets IS 'A gadget'; COMMENT ON COLUMN "
            "app.gadgets.gadget_id IS 'Key'; CREATE INDEX ON app.gadgets (label);COMMENT ON COLUMN app.gadgets.label "
            "IS 'Label'; COMMENT ON COLUMN app.gadgets.doc IS 'Doc'; GRANT SELECT ON app.gadgets TO geomill_admin"
        ),
        "app.py",
        "the tables",
        "add",
        "class Gadget(Table):",
    ),
    Case(
        "DROP TABLE app.paused_task_types",
        "app.py",
        "the tables",
        "remove",
        "class PausedTaskType(Table):",
    ),
    Case(
        "ALTER TABLE app.jobs SET (fillfactor = 33)",
        "app.py",
        "class Job",
        "replace",
        "__table__",
    ),
    Case(
        "ALTER TABLE app.stages SET (autovacuum_enabled = false)",
        "app.py",
        "class Stage",
        "replace",
        "__table__",
    ),
    Case(
        "GRANT INSERT ON app.jobs TO geomill_admin",
        "app.py",
        "class Job",
        "replace",
        "__table__",
    ),
    Case(
        "REVOKE SELECT ON platform.geo_tables FROM geomill_api",
        "platform.py",
        "class GeoTable",
        "replace",
        "__table__",
    ),
    Case(
        "ALTER POLICY own_rows ON platform.requests USING (false)",
        "platform.py",
        "class Request",
        "replace",
        "__table__",
    ),
    Case(
        "CREATE POLICY more ON platform.rejects FOR SELECT TO geomill_admin USING (revision > 1)",
        "platform.py",
        "class Reject",
        "replace",
        "__table__",
    ),
    Case(
        "ALTER TABLE app.task_errors SET UNLOGGED",
        "app.py",
        "class TaskError",
        "replace",
        "__table__",
    ),
]

# What no model can say, and what is said instead.
UNSAID: list[tuple[str, str]] = [
    ("ALTER TABLE app.jobs ADD COLUMN odd smallint", "column app.jobs.odd: no model makes a column of type smallint"),
    ("ALTER TABLE app.jobs ADD COLUMN odd timestamp", "column app.jobs.odd: no model makes a column of type timestamp without time zone"),
    ("ALTER TABLE app.jobs ADD COLUMN odd integer GENERATED BY DEFAULT AS IDENTITY", "column app.jobs.odd: GENERATED BY DEFAULT"),
    (
        "ALTER TABLE platform.clients DROP CONSTRAINT clients_pkey CASCADE",
        "key clients_pkey on platform.clients: no model says PRIMARY KEY",
    ),
    (
        "ALTER TABLE platform.rejects ADD CONSTRAINT odd UNIQUE (code)",
        "key odd on platform.rejects: a model would call it rejects_code_key",
    ),
    ("ALTER TABLE platform.rejects ADD CONSTRAINT odd CHECK (code <> 'x') NOT VALID", "check odd on platform.rejects: it is not validated"),
    (
        "ALTER TABLE app.job_types DROP CONSTRAINT job_types_parameter_schema_check",
        "check job_types_parameter_schema_check: it comes with the type of parameter_schema",
    ),
    ("COMMENT ON TABLE app.jobs IS NULL", "comment table app.jobs: a model has no table, column or type without a comment"),
    ("CREATE OR REPLACE FUNCTION app.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'", "change db/functions/app/clock.sql.j2"),
    (
        "CREATE FUNCTION app.odd() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "function app.odd(): is in no template; write db/functions/app/odd.sql.j2",
    ),
    ("DROP FUNCTION app.why(text)", "function app.why(text): is not in the database; delete db/functions/app/why.sql.j2"),
    ("DROP FUNCTION app.validate_hello_world", "it is generated from a model in codegen/messages"),
    ("CREATE VIEW app.odd AS SELECT 1 AS n", "view app.odd: no model says that; no model makes a view"),
    ("CREATE TABLE app.odd (n integer)", "table app.odd: it has no primary key"),
    ("DROP TRIGGER trg_jobs_updated_at ON app.jobs", "trigger trg_jobs_updated_at on app.jobs: no model says that; triggers come from"),
    ("ALTER TYPE app.job_status ADD VALUE 'odd'", "type JobStatus: which transitions its new labels have"),
    ("CREATE POLICY odd ON platform.requests TO geomill_api, geomill_admin USING (true)", "policy odd on platform.requests: no model says"),
    ("GRANT SELECT ON app.jobs TO PUBLIC", "a right of PUBLIC"),
    ("REVOKE EXECUTE ON FUNCTION app.heartbeat FROM geomill_worker", "change the GRANT in its template under db/functions"),
]


@pytest.fixture(scope="module")
def wanted(module_database: Database) -> Catalog:
    with module_database.connect(autocommit=False) as connection:
        return shadow.wanted(connection, desired.ours())


@pytest.fixture
def connection(module_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A transaction in which a test may do anything, for all of it is undone."""
    with module_database.connect(autocommit=False) as connection:
        connection.execute("SET LOCAL ROLE geomill_owner")
        yield connection
        connection.rollback()


def planted(connection: psycopg.Connection[Any], statements: str) -> None:
    # Functions of the API have an owner of their own.
    connection.execute("SET LOCAL ROLE NONE")
    connection.execute(statements.encode())


@pytest.mark.parametrize(("statements", "file", "where", "action", "text"), CASES, ids=[case[0][:60] for case in CASES])
def test_a_change_by_hand_is_a_line_to_paste(
    statements: str, file: str, where: str, action: str, text: str, connection: psycopg.Connection[Any], wanted: Catalog
) -> None:
    planted(connection, statements)
    found = pull.suggest(catalog.read(connection, generate.SCHEMAS), wanted)
    assert [
        edit for edit in found.edits if (edit.file.name, edit.where, edit.action) == (file, where, action) and edit.text.startswith(text)
    ]


@pytest.mark.parametrize(("statements", "said"), UNSAID, ids=[case[0][:60] for case in UNSAID])
def test_what_no_model_says_is_said_so(statements: str, said: str, connection: psycopg.Connection[Any], wanted: Catalog) -> None:
    planted(connection, statements)
    assert said in "\n".join(pull.suggest(catalog.read(connection, generate.SCHEMAS), wanted).unsaid)


def test_with_the_lines_pasted_nothing_is_left_to_deploy(connection: psycopg.Connection[Any]) -> None:
    for case in CASES:
        planted(connection, case.statements)
    planted(connection, OWNED)
    answer = pull.pull(connection)
    # What guards a status is generated with it, and nobody made it by hand.
    assert [str(each).splitlines()[0] for each in answer.remaining] == ["missing    trigger trg_api_requests_state on app.api_requests"]
    assert answer.unsaid == []


def test_a_database_as_the_models_say_asks_for_nothing(
    module_database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOMILL_DSN_SUPERUSER", module_database.dsn())
    assert main(["pull"]) == 0
    assert capsys.readouterr().out.strip().endswith("is as the models say")


def test_the_listing_names_file_place_and_what_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.connect() as connection:
        connection.execute("ALTER TABLE platform.rejects ADD COLUMN score numeric(5, 2)")
        connection.execute("DROP FUNCTION app.why(text)")
    monkeypatch.setenv("GEOMILL_DSN_SUPERUSER", database.dsn())
    score = 'score: Decimal | None = Field(max_digits=5, decimal_places=2, default=None, description="score, as found in a database")'
    assert main(["pull"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "codegen/models/platform.py, class Reject:",
        f"  add      {score}",
        "codegen/models/platform.py, the imports:",
        "  add      from decimal import Decimal",
        "not in the models:",
        "  function app.why(text): is not in the database; delete db/functions/app/why.sql.j2",
        "with these edits, a deploy would still change:",
        "  missing    check rejects_score_number_check on platform.rejects",
        "  missing    comment column platform.rejects.score",
        "  missing    function app.why(text)",
    ]
