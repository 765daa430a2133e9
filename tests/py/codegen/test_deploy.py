"""Deploy: whole or not at all, again without effect, and mending what it may mend."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from codegen import cron, deploy, desired, generate, plan, shadow, verify, workflow_rows
from codegen.connection import with_database
from codegen.messages.hello_world import HelloWorldParameters
from codegen.refusal import RefusedError
from codegen.workflows import JobType, Single, Stage
from tests.py.support.server import Database
from tests.py.support.stac_extensions import problems


def run(database: Database) -> list[str]:
    """Deploy; what it said."""
    said: list[str] = []
    deploy.deploy(database.dsn(), said.append, with_cron=False)
    return said


def deployments(connection: psycopg.Connection[Any]) -> int:
    (count,) = connection.execute("SELECT count(*) FROM app.schema_deployments").fetchall()[0]
    return int(count)


def test_a_second_deploy_changes_nothing_and_writes_no_row(database: Database) -> None:
    with database.connect() as connection:
        before = (deployments(connection), functions(connection))
        assert run(database) == ["nothing to do"]
        assert (deployments(connection), functions(connection)) == before


def test_collections_that_clients_publish_into_are_made_where_they_are_missing(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("SET search_path = pgstac, public")
        connection.execute("SELECT pgstac.delete_collection('ddh_rasters')")
        connection.execute("UPDATE pgstac.collections SET content = content || '{\"title\": \"by hand\"}' WHERE id = 'ddh_vectors'")
        assert run(database) == ["STAC collection ddh_rasters", "deployed"]
        assert run(database) == ["nothing to do"]
        rows = connection.execute("SELECT id, content FROM pgstac.collections ORDER BY id").fetchall()
    assert [(name, document["title"]) for name, document in rows] == [("ddh_rasters", "Rasters of ddh"), ("ddh_vectors", "by hand")]
    assert [problems(document, "collection") for _, document in rows] == [[], []]


def functions(connection: psycopg.Connection[Any]) -> Any:
    """The functions' rows, with the transactions that wrote them."""
    statement = "SELECT oid, xmin::text FROM pg_proc WHERE pronamespace = ANY ('{app,platform}'::regnamespace[]) ORDER BY 1"
    return connection.execute(statement).fetchall()


def test_a_deployment_records_who_and_what(module_database: Database) -> None:
    with module_database.connect() as connection:
        row = connection.execute("SELECT deployed_by, fingerprint, length(sql) > 10000 FROM app.schema_deployments").fetchone()
    assert row == ("postgres", generate.fingerprint(), True)


def test_everything_of_ours_is_owned_by_the_owner_and_public_may_do_nothing(module_database: Database) -> None:
    with module_database.connect() as connection:
        owners = connection.execute(
            """
            SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = ANY ('{app,platform,geo,h3}'::regnamespace[])
            """
        ).fetchall()
        executable = connection.execute(
            """
            SELECT p.oid::regprocedure FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
             WHERE p.pronamespace = ANY ('{app,platform,geo,h3}'::regnamespace[]) AND a.grantee = 0
            """
        ).fetchall()
        creators = connection.execute(
            """
            SELECT r.role, s.name
              FROM unnest('{geomill_api,geomill_worker,geomill_client,geomill_gateway,geomill_reader,geomill_admin}'::text[]) AS r (role)
             CROSS JOIN unnest('{app,platform,h3,public}'::text[]) AS s (name) WHERE has_schema_privilege(r.role, s.name, 'CREATE')
            """
        ).fetchall()
    assert (owners, executable, creators) == ([("geomill_owner",)], [], [])


REPLACEABLE = {
    "CREATE OR REPLACE FUNCTION app.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'": "different  function app.clock()",
    "ALTER FUNCTION app.sha256_hex RESET search_path": "different  function app.sha256_hex(text)",
    "ALTER FUNCTION app.is_idle OWNER TO geomill_worker": "different  function app.is_idle(text[])",
    "DROP FUNCTION app.validate_hello_world": "missing    function app.validate_hello_world(jsonb)",
    "CREATE FUNCTION app.stray() RETURNS integer LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION app.stray FROM PUBLIC;"
    "ALTER FUNCTION app.stray OWNER TO geomill_owner": "unexpected function app.stray()",
    "GRANT EXECUTE ON FUNCTION app.heartbeat TO geomill_reader": "unexpected grant on function app.heartbeat(text) to geomill_reader",
    "REVOKE EXECUTE ON FUNCTION app.heartbeat FROM geomill_worker": "missing    grant on function app.heartbeat(text) to geomill_worker",
    "GRANT SELECT ON app.jobs TO geomill_reader": "unexpected grant on table app.jobs to geomill_reader",
    "GRANT SELECT (status) ON app.jobs TO geomill_worker": "unexpected grant on column app.jobs.status to geomill_worker",
    "GRANT DELETE ON app.stages TO geomill_admin": "different  grant on table app.stages to geomill_admin",
    "REVOKE SELECT ON app.jobs FROM geomill_admin": "missing    grant on table app.jobs to geomill_admin",
    "GRANT CREATE ON SCHEMA app TO geomill_worker": "different  grant on schema app to geomill_worker",
    "REVOKE USAGE ON SCHEMA platform FROM geomill_client": "missing    grant on schema platform to geomill_client",
    "GRANT USAGE ON TYPE app.fan_out TO geomill_reader": "unexpected grant on type app.fan_out to geomill_reader",
    "COMMENT ON TABLE app.jobs IS 'something else'": "different  comment table app.jobs",
    "COMMENT ON COLUMN app.jobs.status IS NULL": "missing    comment column app.jobs.status",
    "COMMENT ON TYPE app.worker_status IS 'stray'": "different  comment type app.worker_status",
    "DROP TRIGGER trg_jobs_updated_at ON app.jobs": "missing    trigger trg_jobs_updated_at on app.jobs",
    "ALTER TABLE app.workers DISABLE TRIGGER trg_workers_status": "different  trigger trg_workers_status on app.workers",
    "CREATE TRIGGER stray BEFORE UPDATE ON app.jobs FOR EACH ROW EXECUTE FUNCTION app.update_updated_at_column()": (
        "unexpected trigger stray on app.jobs"
    ),
    "ALTER POLICY own_rows ON platform.requests USING (true)": "different  policy own_rows on platform.requests",
    "DROP POLICY own_rows ON platform.rejects": "missing    policy own_rows on platform.rejects",
    "CREATE POLICY stray ON platform.requests USING (true)": "unexpected policy stray on platform.requests",
    "UPDATE app.job_types SET is_active = false WHERE job_type = 'hello_world'": "different  job type hello_world",
    "UPDATE app.job_stages SET max_attempts = 99 WHERE job_type = 'validate_raster'": "different  job type validate_raster",
    "REVOKE SELECT ON pgstac.items FROM geomill_api": "missing    grant on table pgstac.items to geomill_api",
    "DROP SCHEMA h3 CASCADE": "missing    schema h3",
}


def test_what_create_or_replace_can_mend_is_found_and_mended(database: Database) -> None:
    with database.connect() as connection:
        for drift in REPLACEABLE:
            connection.execute(drift.encode())
    found = {line.partition("\n")[0] for line in verify.verify(database.dsn(), lambda _: None, with_cron=False)}
    assert set(REPLACEABLE.values()) - found == set()
    assert run(database)[-1] == "deployed"
    assert verify.verify(database.dsn(), lambda _: None, with_cron=False) == []


ALTERED = {
    "ALTER TABLE app.jobs ADD COLUMN stray integer": "unexpected column app.jobs.stray",
    "ALTER TABLE app.jobs DROP COLUMN metadata": "missing    column app.jobs.metadata",
    "ALTER TABLE app.jobs ALTER COLUMN priority SET DEFAULT 5": "different  column app.jobs.priority",
    "ALTER TABLE app.jobs ALTER COLUMN started_at SET NOT NULL": "different  column app.jobs.started_at",
    "ALTER TABLE app.jobs ALTER COLUMN correlation_id TYPE text": "different  column app.jobs.correlation_id",
    "ALTER TABLE app.job_stages DROP CONSTRAINT job_stages_weight_check": "missing    check job_stages_weight_check on app.job_stages",
    "ALTER TABLE app.jobs ADD CONSTRAINT stray CHECK (stage > 0)": "unexpected check stray on app.jobs",
    "ALTER TABLE app.stages DROP CONSTRAINT stages_job_id_fkey": "missing    key stages_job_id_fkey on app.stages",
    "ALTER TABLE app.tasks RESET (fillfactor)": "different  storage app.tasks",
    "DROP INDEX app.idx_stages_open": "missing    index app.idx_stages_open",
    "CREATE INDEX stray_index ON app.jobs (job_type)": "unexpected index app.stray_index",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.idx_tasks_due'::regclass": "different  index app.idx_tasks_due",
    "CREATE TABLE app.stray (n integer); ALTER TABLE app.stray OWNER TO geomill_owner": "unexpected table app.stray",
    "CREATE VIEW platform.stray AS SELECT 1 AS one; ALTER VIEW platform.stray OWNER TO geomill_owner": "unexpected view platform.stray",
    "CREATE TYPE platform.colour AS ENUM ('a'); ALTER TYPE platform.colour OWNER TO geomill_owner": "unexpected type platform.colour",
    "CREATE SEQUENCE app.stray_seq; ALTER SEQUENCE app.stray_seq OWNER TO geomill_owner": "unexpected sequence app.stray_seq",
    "ALTER TYPE app.fan_out ADD VALUE 'stray'": "different  type app.fan_out",
    "ALTER TABLE platform.requests NO FORCE ROW LEVEL SECURITY": "different  row security platform.requests",
    "ALTER TABLE app.workers OWNER TO geomill_worker": "different  table app.workers",
    "ALTER TABLE app.janitor_runs SET UNLOGGED": "different  table app.janitor_runs",
    "CREATE RULE stray AS ON DELETE TO app.janitor_runs DO INSTEAD NOTHING": "unexpected rule stray on app.janitor_runs",
    "DROP FUNCTION app.heartbeat; CREATE FUNCTION app.heartbeat(worker_id text) RETURNS integer LANGUAGE sql AS 'SELECT 1'": (
        "different  function app.heartbeat(text)"
    ),
}


def test_drift_in_each_kind_of_object_is_found_named_and_repaired(database: Database) -> None:
    with database.connect() as connection:
        for drift in ALTERED:
            connection.execute(drift.encode())
        found = {line.partition("\n")[0] for line in verify.verify(database.dsn(), lambda _: None, with_cron=False)}
        assert set(ALTERED.values()) - found == set()
        before, planned = deployments(connection), plan.differences(connection)
        with pytest.raises(RefusedError) as refused:
            run(database)
        assert (
            refused.value.remedy.partition(": ")[2] == "--allow 'public-interface:app.heartbeat(text)' --allow table-rewrite:app.job_stages"
        )
        assert deployments(connection) == before
        assert plan.differences(connection) == planned
    meant = ["public-interface:app.heartbeat(text)", "table-rewrite:app.job_stages"]
    deploy.deploy(database.dsn(), lambda _: None, with_cron=False, allowed=meant)
    assert verify.verify(database.dsn(), lambda _: None, with_cron=False) == []


def test_what_somebody_else_made_is_named_and_left_alone_until_it_is_allowed_to_go(database: Database) -> None:
    made = "CREATE TABLE app.notes (n integer PRIMARY KEY); INSERT INTO app.notes VALUES (1); COMMENT ON TABLE app.notes IS 'a DBA''s'"
    with database.connect() as connection:
        connection.execute(made.encode())
        assert run(database) == ["left alone: table app.notes, of postgres", "nothing to do"]
        assert verify.verify(database.dsn(), lambda _: None, with_cron=False) == ["unexpected table app.notes, of postgres"]
        with pytest.raises(RefusedError, match=r"data-loss: app\.notes"):
            deploy.deploy(database.dsn(), lambda _: None, with_cron=False, allowed=["drop-stranger:app.notes"])
        assert connection.execute("SELECT n FROM app.notes").fetchall() == [(1,)]
        deploy.deploy(database.dsn(), lambda _: None, with_cron=False, allowed=["drop-stranger:app.notes", "data-loss:app.notes"])
    assert verify.verify(database.dsn(), lambda _: None, with_cron=False) == []


def test_the_janitor_is_scheduled_once_and_jobs_of_databases_that_are_gone_go(database: Database) -> None:
    with database.connect() as connection:
        home = cron.cron_database(connection)
    if home is None:
        pytest.skip("the server does not load pg_cron")
    with psycopg.connect(with_database(database.dsn(), home), autocommit=True) as jobs:
        try:
            assert cron.schedule(database.dsn(), database.name, home)
            assert not cron.schedule(database.dsn(), database.name, home)
            assert cron.is_scheduled(database.dsn(), database.name, home)
            drift = "UPDATE cron.job SET schedule = '0 3 * * *' WHERE jobname = %s"
            jobs.execute(drift, [f"geomill:{database.name}:janitor"])
            assert cron.missing(database.dsn(), database.name, home) == ["janitor"]
            assert cron.schedule(database.dsn(), database.name, home)
            assert cron.is_scheduled(database.dsn(), database.name, home)
            jobs.execute("SELECT cron.schedule_in_database('geomill:gone:janitor', '* * * * *', 'SELECT 1', %s)", [database.name])
            jobs.execute("UPDATE cron.job SET database = 'gone' WHERE jobname = 'geomill:gone:janitor'")
            cron.schedule(database.dsn(), database.name, home)
            assert jobs.execute("SELECT FROM cron.job WHERE database = 'gone'").fetchone() is None
        finally:
            jobs.execute("SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname LIKE 'geomill:' || %s || ':%%'", [database.name])
        assert not cron.is_scheduled(database.dsn(), database.name, home)


def test_the_record_of_our_runs_is_kept_as_long_as_the_policy_says(database: Database) -> None:
    with database.connect() as connection:
        home = cron.cron_database(connection)
        if home is None:
            pytest.skip("the server does not load pg_cron")
        with psycopg.connect(with_database(database.dsn(), home), autocommit=True) as jobs:
            ours = f"geomill:{database.name}:janitor"
            try:
                connection.execute("SELECT app.set_retention('cron_runs', 3)")
                assert cron.schedule(database.dsn(), database.name, home)
                jobs.execute(
                    "INSERT INTO cron.job_run_details (jobid, runid, database, start_time)"
                    " SELECT jobid, nextval('cron.runid_seq'), database, now() - make_interval(days => age)"
                    " FROM cron.job CROSS JOIN generate_series(1, 5) AS age WHERE jobname = %s",
                    [ours],
                )
                row = jobs.execute(
                    "SELECT command, database FROM cron.job WHERE jobname = %s", [f"geomill:{database.name}:history"]
                ).fetchone()
                assert row is not None
                assert row[1] == home
                jobs.execute(row[0].encode())
                # Should pg_cron have run it meanwhile, that is younger.
                left = (
                    "SELECT count(*) FROM cron.job_run_details JOIN cron.job USING (jobid)"
                    " WHERE jobname = %s AND start_time < now() - interval '12 hours'"
                )
                assert jobs.execute(left, [ours]).fetchone() == (2,)
                connection.execute("SELECT app.set_retention('cron_runs', NULL)")
                cron.schedule(database.dsn(), database.name, home)
                names = jobs.execute("SELECT jobname FROM cron.job WHERE jobname LIKE %s", [f"geomill:{database.name}:%"]).fetchall()
                assert names == [(ours,)], "for ever means that nothing is removed"
            finally:
                jobs.execute(
                    "DELETE FROM cron.job_run_details WHERE jobid IN (SELECT jobid FROM cron.job WHERE jobname LIKE %s)",
                    [f"geomill:{database.name}:%"],
                )
                jobs.execute("SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname LIKE %s", [f"geomill:{database.name}:%"])


def test_a_rebuilt_app_leaves_the_rows_of_platform(database: Database) -> None:
    with database.connect() as connection:
        clients = connection.execute("SELECT * FROM platform.clients").fetchall()
        connection.execute("DROP SCHEMA app CASCADE")
        assert run(database)[-1] == "deployed"
        assert connection.execute("SELECT * FROM platform.clients").fetchall() == clients
    assert verify.verify(database.dsn(), lambda _: None, with_cron=False) == []


def test_a_plan_changes_nothing_and_holds_up_nobody(database: Database) -> None:
    with database.connect(autocommit=False) as worker, database.connect(autocommit=False) as planner:
        worker.execute("SET lock_timeout = '20s'")
        worker.execute("SELECT app.submit_job('hello_world', '{\"n\": 1}')")
        assert plan.differences(planner) == []
        with planner.transaction(force_rollback=True):
            shadow.wanted(planner, desired.ours())
            worker.execute("SELECT * FROM app.claim_tasks('w', NULL, 1)")
            worker.commit()


def test_deploys_at_once_end_as_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # The third waits for both.
    monkeypatch.setenv("GEOMILL_DEPLOY_QUEUE_SECONDS", "600")
    with database.connect() as connection:
        connection.execute("DROP SCHEMA app, platform, geo, h3 CASCADE")
        results: list[list[str]] = []
        threads = [threading.Thread(target=lambda: results.append(run(database))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(result[-1] for result in results) == ["deployed", "nothing to do", "nothing to do"]
        assert deployments(connection) == 1


def test_a_deploy_waits_out_a_short_lock(database: Database) -> None:
    said: list[str] = []
    with database.connect() as connection, database.connect(autocommit=False) as busy:
        connection.execute("DROP TRIGGER trg_jobs_updated_at ON app.jobs")
        busy.execute("SELECT app.submit_job('hello_world', '{\"n\": 1}')")

        def report(line: str) -> None:
            said.append(line)
            if line.startswith("waiting: "):
                busy.commit()

        assert deploy.deploy(database.dsn(), report, with_cron=False)
    assert {line for line in said if line.startswith("waiting: ")} == {"waiting: canceling statement due to lock timeout"}


def job(**changes: Any) -> JobType:
    return JobType(
        name="changing", description="A job type of this test", parameters=HelloWorldParameters,
        stages=[Stage(name="one", task_type="one", fan_out=Single(), **changes)],
    )  # fmt: skip


def test_a_definition_that_changes_gets_a_version_and_jobs_keep_theirs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.connect() as connection:

        def deployed(*jobs: JobType) -> tuple[int, bool, list[int]]:
            monkeypatch.setattr(workflow_rows, "JOB_TYPES", list(jobs))
            with connection.transaction():
                workflow_rows.deploy(connection)
            assert workflow_rows.differences(connection) == []
            version, active = connection.execute("SELECT version, is_active FROM app.job_types WHERE job_type = 'changing'").fetchall()[0]
            stages = connection.execute("SELECT version FROM app.job_stages WHERE job_type = 'changing' ORDER BY 1").fetchall()
            return version, active, [stage for (stage,) in stages]

        assert deployed(job()) == (1, True, [1])
        assert deployed(job()) == (1, True, [1])
        connection.execute(
            "INSERT INTO app.jobs (job_id, job_type, job_type_version, total_stages, parameters, correlation_id) "
            "VALUES (repeat('0', 64), 'changing', 1, 1, '{}', 'x')"
        )
        assert deployed(job(max_attempts=7)) == (2, True, [1, 2])
        assert deployed(job(max_attempts=8)) == (3, True, [1, 2, 3])
        assert deployed(job(max_attempts=9)) == (4, True, [1, 3, 4]), "that of a job, and the one before"
        assert deployed() == (4, False, [1, 3, 4])
        assert deployed(job(max_attempts=9))[:2] == (5, True)


@pytest.mark.parametrize(
    ("table", "old", "new", "allowed"),
    [
        ("app.jobs", "pending", "processing", True),
        ("app.jobs", "completed", "processing", False),
        ("app.jobs", "failed", "processing", True),
        ("app.jobs", "failed", "completed", False),
        ("app.jobs", "completed", "completed", True),
    ],
)
def test_a_status_changes_only_as_its_enum_says(table: str, old: str, new: str, allowed: bool, module_database: Database) -> None:
    with module_database.connect(autocommit=False) as connection:
        connection.execute(
            "INSERT INTO app.jobs (job_id, job_type, job_type_version, total_stages, parameters, correlation_id, status) "
            "VALUES (repeat('0', 64), 'hello_world', 1, 1, '{}', 'x', %s)",
            [old],
        )
        if allowed:
            connection.execute("UPDATE app.jobs SET status = %s", [new])
        else:
            with pytest.raises(psycopg.Error, match=f"status of {table} cannot go from {old} to {new}") as refused:
                connection.execute("UPDATE app.jobs SET status = %s", [new])
            assert refused.value.sqlstate == "GM409"
        connection.rollback()
