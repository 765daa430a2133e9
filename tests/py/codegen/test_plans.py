"""Plans on paper and carried out: held to what was read, recorded, taken back, written as scripts, and never half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.pq import TransactionStatus

from codegen import catalog, deploy, desired, generate, history, plan, plan_file, rollback, verify
from codegen.__main__ import main
from codegen.apply import InterruptedDeployError
from codegen.connection import connect_to
from codegen.ddl import Statement
from codegen.desired import Desired
from codegen.refusal import RefusedError
from tests.py.codegen.changed import changed
from tests.py.support.server import Database

SCHEMAS = ("app", "platform")


def carry_out(database: Database, wanted: Desired, *allowed: str, reached: Callable[[str], None] = lambda _: None) -> list[str]:
    """Deploy a changed schema; what was said."""
    said: list[str] = []
    with connect_to(database.dsn()) as connection, deploy.alone(database.dsn()):
        deploy.deploy_schemas(connection, wanted, said.append, allowed=allowed, reached=reached)
    return said


def planned(database: Database, wanted: Desired, allowed: Collection[str] = ()) -> plan.Plan:
    with connect_to(database.dsn()) as connection:
        return plan.plan(connection, wanted, allowed=allowed)


def reading(database: Database) -> catalog.Catalog:
    with connect_to(database.dsn()) as connection, connection.transaction():
        return catalog.read(connection, SCHEMAS)


def with_jobs(database: Database, count: int = 20) -> None:
    with database.connect("worker") as worker:
        for number in range(count):
            worker.execute("SELECT app.submit_job('hello_world', jsonb_build_object('n', 1, 'message', %s::text))", [str(number)])


NOTE = {"app.jobs": "note text", "app.janitor_runs": "host text"}
INDEX = Statement("indexes", "index", "app.idx_jobs_note", "CREATE INDEX idx_jobs_note ON app.jobs (note);", "app")
COMMENT = Statement("tables", "comment", "column app.jobs.note", "COMMENT ON COLUMN app.jobs.note IS 'for people';", "app")


def test_a_deploy_is_held_to_the_plan_that_was_read(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOMILL_DSN_SUPERUSER", database.dsn())
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path))
    with database.connect() as connection:
        connection.execute("DROP TRIGGER trg_jobs_updated_at ON app.jobs")
        assert main(["plan"]) == 2
        (kept,) = (tmp_path / "plans").iterdir()
        document = json.loads(kept.read_text())
        assert [step["title"] for step in document["steps"]] == ["create trigger trg_jobs_updated_at on app.jobs"]
        assert [step["title"] for step in document["reverse"]] == ["drop trigger trg_jobs_updated_at on app.jobs"]
        connection.execute("COMMENT ON TABLE app.jobs IS 'moved'")
        assert main(["deploy", "--no-cron"]) == 1
        assert "have moved since the plan was made" in capsys.readouterr().err
        assert main(["deploy", "--no-cron", "--replan"]) == 0
    assert main(["plan"]) == 0
    assert not kept.exists()


def test_a_dry_run_and_a_plan_change_nothing(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEOMILL_DSN_SUPERUSER", database.dsn())
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path))
    with database.connect() as connection:
        connection.execute("DROP TRIGGER trg_jobs_updated_at ON app.jobs")
    before = reading(database)
    assert main(["deploy", "--dry-run"]) == 0
    assert main(["plan"]) == 2
    assert reading(database) == before


def test_a_deploy_is_recorded_and_taken_back(database: Database) -> None:
    with_jobs(database)
    before = reading(database)
    wanted = changed(NOTE, more=(INDEX, COMMENT))
    carry_out(database, wanted)
    with database.connect() as connection:
        row = history.last(connection)
        assert row is not None
        assert (row["kind"], row["status"], row["deployed_by"], row["allowed"]) == ("deploy", "completed", "postgres", [])
        assert "ALTER TABLE app.jobs ADD COLUMN note text;" in row["sql"]
        assert "CREATE INDEX CONCURRENTLY idx_jobs_note" in row["sql"]
        assert planned(database, wanted).steps == ()
        jobs = connection.execute("SELECT job_id FROM app.jobs ORDER BY 1").fetchall()
        rollback.rollback(database.dsn(), lambda _: None, allowed=["data-loss:app.jobs.note"])
        assert connection.execute("SELECT job_id FROM app.jobs ORDER BY 1").fetchall() == jobs
        row = history.last(connection)
        assert row is not None
        assert (row["kind"], row["status"]) == ("rollback", "completed")
    assert reading(database) == before
    with pytest.raises(RefusedError, match="it took a deploy back"):
        rollback.rollback(database.dsn(), lambda _: None)


def test_a_rollback_refuses_to_lose_what_came_since_and_what_it_does_not_know(database: Database) -> None:
    with_jobs(database)
    carry_out(database, changed(NOTE))
    with database.connect() as connection:
        with pytest.raises(RefusedError, match=r"data-loss: app\.jobs\.note"):
            rollback.rollback(database.dsn(), lambda _: None)
        connection.execute("ALTER TABLE app.jobs ADD COLUMN stray text")
        with pytest.raises(RefusedError, match="not as that deploy left them"):
            rollback.rollback(database.dsn(), lambda _: None, allowed=["data-loss:app.jobs.note"])


def test_what_a_deploy_dropped_is_kept_and_not_said_to_be_restored(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path))
    carry_out(database, changed({"app.jobs": "note text DEFAULT 'kept'"}))
    with_jobs(database, 3)
    with pytest.raises(RefusedError) as refused:
        carry_out(database, desired.ours())
    assert "--allow data-loss:app.jobs.note" in refused.value.remedy
    carry_out(database, desired.ours(), "data-loss:app.jobs.note")
    (kept,) = tmp_path.glob("backups/*/*/app.jobs.csv")
    assert kept.read_text().count("kept") == 3
    with pytest.raises(RefusedError, match=r"not-restored: app\.jobs\.note"):
        rollback.rollback(database.dsn(), lambda _: None)


def test_scripts_do_by_hand_what_deploy_does(database: Database, tmp_path: Path) -> None:
    with_jobs(database)
    before = reading(database)
    wanted = changed(NOTE, more=(INDEX,))
    forward, back = plan_file.write_scripts(planned(database, wanted), tmp_path, "500ms")
    run_by_hand(database, forward)
    assert planned(database, wanted).steps == ()
    run_by_hand(database, back)
    assert reading(database) == before


def run_by_hand(database: Database, script: Path) -> None:
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--dbname", database.dsn(), "--file", str(script)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_generated_schema_is_compared_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path))
    history.keep_schema("one")
    current = history.folder_of("one") / history.CURRENT
    assert main(["compare"]) == 0
    current.write_text(current.read_text().replace("-- object: table app.tasks", "-- object: table app.chores", 1))
    assert main(["compare"]) == 2
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith("    ")] == ["gone: table app.chores", "new: table app.tasks"]
    history.keep_schema("one")
    assert (history.folder_of("one") / history.BACKUP).exists()
    assert main(["compare"]) == 2, "what is deployed now, with what was deployed before"


def test_a_dump_and_restore_is_no_drift(database: Database) -> None:
    restored = f"{database.name}_restored"
    copy = database.server.create(restored, "template0")
    try:
        with copy.connect() as connection:
            connection.execute((generate.DB / "extensions.sql").read_bytes())
            connection.execute((generate.DB / "roles.sql").read_bytes())
        dump = subprocess.Popen(
            ["pg_dump", "--format=custom", "--schema=app", "--schema=platform", "--dbname", database.dsn()], stdout=subprocess.PIPE
        )
        subprocess.run(["pg_restore", "--dbname", copy.dsn()], stdin=dump.stdout, check=True)
        assert dump.wait() == 0
        with copy.connect() as connection:
            assert plan.plan(connection, desired.Desired(SCHEMAS, desired.ours().statements)).differences == ()
    finally:
        database.server.drop(restored)


# --- killed -----------------------------------------------------------------------------------------------------------

MUCH = changed(
    {"app.jobs": "note text", "app.workers": "host text"},
    more=(
        INDEX,
        Statement("tables", "table", "app.extras", "CREATE TABLE app.extras (n integer PRIMARY KEY);", "app"),
        Statement("tables", "check", "c", "ALTER TABLE app.jobs ADD CONSTRAINT jobs_note_check CHECK (length(note) < 100);", "app"),
    ),
    replaced={"'fail_job', 'continue'": "'fail_job', 'continue', 'ask'"},
)


def stops(database: Database) -> int:
    """How often a deploy says where it is."""
    count = [0]

    def reached(_: str) -> None:
        count[0] += 1

    carry_out(database, MUCH, reached=reached)
    return count[0]


def killed_at(database: Database, stop: int) -> None:
    """A deploy in a process of its own that ends by SIGKILL at one of its stops."""
    child = os.fork()
    if child == 0:
        count = [0]

        def reached(_: str) -> None:
            count[0] += 1
            if count[0] == stop:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            carry_out(database, MUCH, reached=reached)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"stop {stop} was never reached"


@pytest.mark.parametrize("part", [pytest.param(part, marks=[pytest.mark.slow] if part else []) for part in range(4)])
def test_a_deploy_that_was_killed_at_any_step_is_ended_by_the_next(database: Database, part: int) -> None:
    """Every fourth of its stops in each part."""
    with_jobs(database)
    base = f"{database.name}_base"
    database.server.create(base, database.name)
    try:
        last = stops(database)
        assert last >= 12
        with database.connect() as connection:
            ended = {when: len([step for step in plan_steps(connection) if step == when]) for when in ("labels", "expand", "afterwards")}
        assert ended == {"labels": 0, "expand": 0, "afterwards": 0}
        for stop in range(1 + part, last + 1, 4):
            copy = database.server.create(f"{database.name}_{stop}", base)
            try:
                killed_at(copy, stop)
                carry_out(copy, MUCH)
                assert planned(copy, MUCH).differences == (), f"stopped at {stop}"
                with copy.connect() as connection:
                    assert connection.execute("SELECT count(*) FROM app.jobs").fetchall() == [(20,)]
                    rows = connection.execute("SELECT status FROM app.schema_deployments ORDER BY deployment_id DESC").fetchall()
                assert rows[0] == ("completed",)
                assert ("started",) not in rows
            finally:
                database.server.drop(copy.name)
    finally:
        database.server.drop(base)


def plan_steps(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    return [step.when for step in plan.plan(connection, MUCH).steps]


def test_an_index_whose_build_was_cut_off_is_built_again(database: Database) -> None:
    with_jobs(database)
    wanted = changed(NOTE, more=(INDEX,))

    carry_out(database, changed(NOTE))
    with database.connect() as connection:
        connection.execute("CREATE INDEX idx_jobs_note ON app.jobs (note)")
        connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.idx_jobs_note'::regclass")
    carry_out(database, wanted)
    assert planned(database, wanted).differences == ()
    assert verify_index(database) is True


def verify_index(database: Database) -> bool:
    with database.connect() as connection:
        row = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'app.idx_jobs_note'::regclass").fetchone()
    return bool(row and row[0])


def test_a_deploy_that_fails_after_a_commit_takes_that_back(database: Database) -> None:
    with_jobs(database)
    before = reading(database)

    def reached(title: str) -> None:
        if title.startswith("build index"):
            raise psycopg.OperationalError("the disk is full")

    said: list[str] = []
    with connect_to(database.dsn()) as connection, deploy.alone(database.dsn()), pytest.raises(InterruptedDeployError):
        deploy.deploy_schemas(connection, changed(NOTE, more=(INDEX,)), said.append, reached=reached)
    assert said[-1].startswith("stopped: ")
    assert reading(database) == before
    assert verify.verify(database.dsn(), lambda _: None, with_cron=False) == []


def test_rows_against_a_constraint_are_told_and_nothing_is_done(database: Database) -> None:
    with_jobs(database)
    before = reading(database)
    low = Statement("tables", "check", "c", "ALTER TABLE app.jobs ADD CONSTRAINT jobs_low_check CHECK (priority > 5);", "app")
    with pytest.raises(RefusedError, match="20 rows break jobs_low_check"):
        carry_out(database, changed(more=(low,)))
    assert reading(database) == before
    with database.connect() as connection:
        connection.execute(sql.SQL("UPDATE app.jobs SET priority = 6"))
    carry_out(database, changed(more=(low,)))


def test_a_deploy_that_does_not_end_as_planned_is_undone(database: Database) -> None:
    before = reading(database)
    with connect_to(database.dsn()) as connection, deploy.alone(database.dsn()):

        def reached(title: str) -> None:
            if connection.info.transaction_status == TransactionStatus.INTRANS and title.startswith("add column"):
                connection.execute("COMMENT ON TABLE app.janitor_runs IS 'by somebody else'")

        with pytest.raises(RefusedError, match=r"it would not end where it should:\n  different  comment table app\.janitor_runs"):
            deploy.deploy_schemas(connection, changed({"app.janitor_runs": "host text"}), lambda _: None, reached=reached)
    assert reading(database) == before
