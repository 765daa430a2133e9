"""Worker processes on a real engine: they finish what they claim once, whatever is done to them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, LiteralString, Protocol

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.conftest import StartWorkers
from tests.py.support.processes import Workers
from tests.py.support.server import Database
from tests.py.support.waiting import wait_for

HANDLERS = "tests.py.workers.handlers"
PARAMETERS = ["folder", "from", "what", "path", "checking"]
ENVIRONMENT = {"GEOMILL_HANDLER_MODULES": HANDLERS}

CONTRACT = sql.SQL(
    "CREATE OR REPLACE FUNCTION app.worker_contract() RETURNS TABLE (oldest integer, newest integer, software_version text)"
    " LANGUAGE sql AS $$ {} $$"
)


class Engine:
    """The engine, asked and prodded by a superuser."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement.encode(), values).fetchall()

    def value(self, statement: str, *values: object) -> Any:
        return next(iter(self.rows(statement, *values)[0].values()))

    def submit(self, job_type: str, parameters: Mapping[str, Any]) -> str:
        return str(self.value("SELECT app.submit_job(%s, %s)", job_type, Jsonb(dict(parameters))))

    def job(self, job_id: str) -> dict[str, Any]:
        return self.rows("SELECT * FROM app.jobs WHERE job_id = %s", job_id)[0]

    def tasks(self, job_id: str) -> list[dict[str, Any]]:
        return self.rows(
            """
            SELECT t.*, r.result_data,
                   (SELECT e.error FROM app.task_errors AS e WHERE e.task_id = t.task_id ORDER BY e.attempt DESC LIMIT 1)
              FROM app.tasks AS t JOIN app.stages AS s USING (stage_id) LEFT JOIN app.task_results AS r USING (task_id)
             WHERE s.job_id = %s ORDER BY t.task_id
            """,
            job_id,
        )

    def wait_for_job(self, job_id: str, status: str = "completed", timeout: float = 300.0) -> dict[str, Any]:
        wait_for(lambda: self.job(job_id)["status"] not in ("pending", "processing"), timeout, message=f"job {job_id} has not ended")
        assert self.job(job_id)["status"] == status, self.job(job_id)
        return self.job(job_id)

    def wait_for_workers(self, number: int, status: str = "alive") -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            rows = self.rows("SELECT * FROM app.workers WHERE status = %s::app.worker_status", status)
            return rows if len(rows) == number else []

        return wait_for(found, message=f"not {number} {status} workers")

    def bury(self, process_id: int) -> None:
        """Make a dead worker look silent for long enough, and run the janitor; again if it beat in between."""

        def is_dead() -> bool:
            self.rows("UPDATE app.workers SET last_beat = last_beat - interval '2 minutes' WHERE process_id = %s RETURNING 1", process_id)
            self.rows("SELECT app.run_janitor()")
            return bool(self.value("SELECT bool_or(status = 'dead') FROM app.workers WHERE process_id = %s", process_id))

        wait_for(is_dead, message=f"worker {process_id} is not dead")


class DefineJob(Protocol):
    def __call__(self, task_type: str, *, fan_out: str = "single", max_attempts: int = 3, max_runtime: float = 600.0) -> str: ...


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    with database.connect() as connection:
        yield Engine(connection)


@pytest.fixture
def workers(engine: Engine, workers: StartWorkers) -> StartWorkers:  # noqa: ARG001 - the database is to outlive the workers
    return workers


@pytest.fixture
def define_job(engine: Engine) -> DefineJob:
    """Deploys a job type of one stage, with the task type's name, that takes any parameters."""

    def define(task_type: str, *, fan_out: str = "single", max_attempts: int = 3, max_runtime: float = 600.0) -> str:
        engine.connection.execute(
            "INSERT INTO app.job_types (job_type, version, description, total_stages, parameter_schema, fingerprint)"
            " VALUES (%s, 1, 'for tests', 1, '{}', 'x')",
            (task_type,),
        )
        engine.connection.execute(
            "INSERT INTO app.job_stages (job_type, version, stage, name, task_type, fan_out, fan_out_path, fan_out_from, task_parameters,"
            " max_attempts, backoff_seconds, backoff_max_seconds, max_runtime_seconds, failure_policy)"
            " VALUES (%s, 1, 1, 'work', %s, %s, %s, 'parameters', %s, %s, 0, 0, %s, 'fail_job')",
            (task_type, task_type, fan_out, "$.n" if fan_out == "count" else None, Jsonb(PARAMETERS), max_attempts, max_runtime),
        )
        engine.connection.execute(
            sql.SQL(
                "CREATE FUNCTION app.{}(value jsonb) RETURNS TABLE (filled jsonb, problems jsonb)"
                " LANGUAGE sql AS $$ SELECT value, '[]'::jsonb $$"
            ).format(sql.Identifier(f"validate_{task_type}"))
        )
        return task_type

    return define


@pytest.fixture
def effects_table(engine: Engine) -> Callable[[], list[dict[str, Any]]]:
    engine.connection.execute("CREATE TABLE public.effects (task_index integer, attempt integer)")
    engine.connection.execute("GRANT INSERT ON public.effects TO geomill_worker")
    return lambda: engine.rows("SELECT task_index, attempt FROM public.effects ORDER BY task_index")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "gate"
    folder.mkdir()
    return folder


def lines(workers: Workers) -> list[dict[str, Any]]:
    """What it logged."""
    return [json.loads(line) for line in workers.output.splitlines() if line.startswith("{")]


def test_hello_world_end_to_end(workers: StartWorkers, engine: Engine) -> None:
    job_id = engine.submit("hello_world", {"n": 200, "message": "Hej"})
    two = workers("--processes", "2", "--until-idle")
    assert two.wait() == 0
    engine.wait_for_job(job_id)
    tasks = engine.tasks(job_id)
    assert [task["result_data"] for task in tasks[:200]] == [{"greeting": "Hej", "index": index} for index in range(200)]
    assert [task["result_data"] for task in tasks[200:]] == [{"reply": "Hej to you too", "index": index} for index in range(200)]
    # A batch behind a task that is slow on a busy machine is given back.
    assert all(task["attempt"] - task["forgiven"] == 1 for task in tasks)
    assert [worker["holding"] for worker in engine.wait_for_workers(2, "stopped")] == [[], []]

    logged = [line for line in lines(two) if line["event"] == "task completed"]
    assert len(logged) == 400
    assert {line["job"] for line in logged} == {job_id}
    assert {line["correlation_id"] for line in logged} == {engine.job(job_id)["correlation_id"]}
    assert all({"request", "task", "attempt", "worker", "timestamp"} <= set(line) for line in logged)


def test_an_idle_worker_is_woken_by_a_submit(workers: StartWorkers, engine: Engine) -> None:
    workers("--processes", "1")
    engine.wait_for_workers(1)
    engine.wait_for_job(engine.submit("hello_world", {"n": 3}))


def test_sigterm_drains_and_gives_back(workers: StartWorkers, engine: Engine, define_job: DefineJob, folder: Path) -> None:
    job_id = engine.submit(define_job("test_gate", fan_out="count"), {"n": 60, "folder": str(folder), "from": 40})
    one = workers("--processes", "1", environment=ENVIRONMENT)
    wait_for(lambda: list(folder.iterdir()))
    wait_for(lambda: engine.value("SELECT max(cardinality(holding)) FROM app.workers") > 1, message="the batch has not grown")
    one.terminate()
    wait_for(lambda: any(line["event"] == "draining" for line in lines(one)))
    assert one.running
    (folder / "open").touch()
    assert one.wait() == 0

    statuses = [task["status"] for task in engine.tasks(job_id)]
    assert set(statuses) == {"completed", "pending"}
    assert sum(task["forgiven"] for task in engine.tasks(job_id)) > 0
    assert engine.rows("SELECT status::text, holding FROM app.workers") == [{"status": "stopped", "holding": []}]

    assert workers("--processes", "2", "--until-idle", environment=ENVIRONMENT).wait() == 0
    engine.wait_for_job(job_id)
    tasks = engine.tasks(job_id)
    assert [task["result_data"]["index"] for task in tasks] == list(range(60))
    assert all(task["attempt"] - task["forgiven"] == 1 for task in tasks)


def test_a_second_sigterm_ends_at_once(workers: StartWorkers, engine: Engine, define_job: DefineJob, folder: Path) -> None:
    job_id = engine.submit(define_job("test_gate"), {"folder": str(folder), "checking": False})
    one = workers("--processes", "2", environment=ENVIRONMENT)
    wait_for(lambda: list(folder.iterdir()))
    one.terminate()
    wait_for(lambda: any(line["event"] == "draining" for line in lines(one)))
    one.terminate()
    assert one.wait() == 128 + signal.SIGTERM
    assert engine.tasks(job_id)[0]["status"] == "processing"


def test_a_killed_worker_is_replaced_and_its_task_done_once(
    workers: StartWorkers, engine: Engine, define_job: DefineJob, effects_table: Callable[[], list[dict[str, Any]]], folder: Path
) -> None:
    job_id = engine.submit(define_job("test_effect"), {"folder": str(folder)})
    one = workers("--processes", "1", environment=ENVIRONMENT)
    wait_for((folder / "0.1").exists)
    victim = one.children[0]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: [child for child in one.children if child != victim], message="no other child")
    (folder / "open").touch()
    wait_for(lambda: engine.value("SELECT count(*) FROM app.workers") == 2)
    engine.bury(victim)
    engine.wait_for_job(job_id)
    assert effects_table() == [{"task_index": 0, "attempt": 2}]
    assert engine.tasks(job_id)[0]["error"]["code"] == "WORKER_DIED"
    assert any(line.get("how") == "SIGKILL" for line in lines(one))


def test_children_drain_when_the_supervisor_is_killed(workers: StartWorkers, engine: Engine) -> None:
    one = workers("--processes", "1")
    engine.wait_for_workers(1)
    os.kill(one.process.pid, signal.SIGKILL)
    engine.wait_for_workers(1, "stopped")


def test_failing_tasks_fail_alone(workers: StartWorkers, engine: Engine, define_job: DefineJob, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\x00\x08\x00\x00\x00\x01\x00")
    job_type = define_job("test_raise", max_attempts=2)
    expected = {
        "task_error": ("NO_CRS", "data", 1),
        "value_error": ("VALUE_ERROR", "system", 2),
        "memory_error": ("MEMORY_ERROR", "system", 2),
        "system_exit": ("SYSTEM_EXIT", "system", 2),
        "keyboard_interrupt": ("KEYBOARD_INTERRUPT", "system", 2),
        "sql_error": ("DIVISION_BY_ZERO", "system", 2),
        "gdal_error": ("RASTERIO_IO_ERROR", "system", 2),
    }
    jobs = {what: engine.submit(job_type, {"what": what, "path": str(broken)}) for what in expected}
    fine = engine.submit("hello_world", {"n": 3})
    one = workers("--processes", "1", "--until-idle", environment=ENVIRONMENT)
    assert one.wait() == 0

    engine.wait_for_job(fine)
    found = {}
    for what, job_id in jobs.items():
        job, task = engine.wait_for_job(job_id, "failed"), engine.tasks(job_id)[0]
        assert job["error_details"]["code"] == task["error"]["code"]
        found[what] = (task["error"]["code"], task["error"]["category"], task["attempt"])
    assert found == expected
    assert any("broken.tif" in message for message in engine.tasks(jobs["gdal_error"])[0]["error"]["context"]["messages"])
    assert "hunter2" not in json.dumps(engine.tasks(jobs["value_error"])[0]["error"]) + one.output
    assert len(engine.rows("SELECT FROM app.workers")) == 1


@pytest.mark.parametrize("what", ["exit", "kill"])
def test_a_task_that_takes_its_process_down_is_tried_again(workers: StartWorkers, engine: Engine, define_job: DefineJob, what: str) -> None:
    job_id = engine.submit(define_job("test_raise"), {"what": what})
    one = workers("--processes", "1", environment=ENVIRONMENT)
    workers_seen = wait_for(lambda: engine.rows("SELECT process_id FROM app.workers ORDER BY worker_key"))
    wait_for(lambda: any(line["event"] == "worker process died, starting another" for line in lines(one)))
    engine.bury(workers_seen[0]["process_id"])
    engine.wait_for_job(job_id)
    assert engine.tasks(job_id)[0]["attempt"] == 2


def test_bad_results_fail_their_own_tasks(workers: StartWorkers, engine: Engine, define_job: DefineJob) -> None:
    job_type = define_job("test_result")
    bad = [engine.submit(job_type, {"what": what}) for what in ("nan", "nul", "surrogate", "object", "text")]
    fine = engine.submit(job_type, {"what": "fine"})
    assert workers("--processes", "1", "--until-idle", environment=ENVIRONMENT).wait() == 0
    assert engine.wait_for_job(fine)["result_data"] == {"fine": True}
    assert [engine.wait_for_job(job_id, "failed")["error_details"]["code"] for job_id in bad] == ["RESULT_REFUSED"] * 5


def test_parameters_that_the_model_refuses(workers: StartWorkers, engine: Engine) -> None:
    job_id = engine.submit("hello_world", {"n": 1})
    engine.connection.execute('UPDATE app.stages SET task_parameters = \'{"n": "one"}\'')
    assert workers("--processes", "1", "--until-idle").wait() == 0
    error = engine.wait_for_job(job_id, "failed")["error_details"]
    assert (error["code"], error["category"], error["field"]) == ("INVALID_PARAMETERS", "user", "n")


def test_effects_count_only_with_their_completion_and_whatever_comes_after_it(
    workers: StartWorkers, engine: Engine, define_job: DefineJob, effects_table: Callable[[], list[dict[str, Any]]]
) -> None:
    half, careless = engine.submit(define_job("test_half"), {}), engine.submit(define_job("test_careless"), {})
    assert workers("--processes", "1", "--until-idle", environment=ENVIRONMENT).wait() == 0
    assert engine.wait_for_job(half)["result_data"] == {"results": [None]}
    engine.wait_for_job(careless)
    assert effects_table() == [{"task_index": 1000, "attempt": 1}]


def test_a_task_beyond_its_deadline_stops_itself(workers: StartWorkers, engine: Engine, define_job: DefineJob, folder: Path) -> None:
    job_id = engine.submit(define_job("test_gate", max_attempts=1, max_runtime=0.5), {"folder": str(folder)})
    assert workers("--processes", "1", "--until-idle", environment=ENVIRONMENT).wait() == 0
    assert engine.wait_for_job(job_id, "failed")["error_details"]["code"] == "DEADLINE_EXCEEDED"


def test_a_cancelled_job_stops_its_running_task(workers: StartWorkers, engine: Engine, define_job: DefineJob, folder: Path) -> None:
    job_id = engine.submit(define_job("test_gate"), {"folder": str(folder)})
    one = workers("--processes", "1", environment=ENVIRONMENT)
    wait_for((folder / "0.1").exists)
    engine.rows("SELECT app.cancel_job(%s, 'for the test')", job_id)
    wait_for(lambda: any(line["event"] == "task stopped" and line["reason"] == "cancelled" for line in lines(one)))
    engine.wait_for_job(engine.submit("hello_world", {"n": 1}))


def test_a_worker_declared_dead_goes_on_under_a_new_name(workers: StartWorkers, engine: Engine) -> None:
    one = workers("--processes", "1")
    first = engine.wait_for_workers(1)[0]
    engine.bury(first["process_id"])
    second = engine.wait_for_workers(1)[0]
    assert second["process_id"] == first["process_id"] == one.children[0]
    assert second["worker_id"] != first["worker_id"]
    engine.wait_for_job(engine.submit("hello_world", {"n": 3}))


def test_terminated_connections_are_opened_again(
    workers: StartWorkers, engine: Engine, define_job: DefineJob, effects_table: Callable[[], list[dict[str, Any]]], folder: Path
) -> None:
    effects_job = engine.submit(define_job("test_effect", fan_out="count", max_attempts=50), {"n": 300, "folder": str(folder)})
    hello_job = engine.submit("hello_world", {"n": 1000})
    two = workers("--processes", "2", "--until-idle", environment=ENVIRONMENT)
    killed = 0

    def done() -> bool:
        nonlocal killed
        # Not for ever: who takes longer to connect than this waits would never come to the end.
        if killed <= 20:
            rows = engine.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'geomill %%' AND random() < 0.4"
            )
            killed += len(rows)
        if killed > 10:
            # Not before: what the tasks do must not be done by then, however fast the machine is.
            (folder / "open").touch()
        return not two.running

    wait_for(done, 400, interval=0.2)
    assert two.wait() == 0
    assert killed > 10
    engine.wait_for_job(hello_job)
    engine.wait_for_job(effects_job)
    assert [row["task_index"] for row in effects_table()] == list(range(300))


class TestStart:
    """What is refused before anything is claimed."""

    def refused(self, workers: Workers, engine: Engine) -> str:
        assert workers.wait() == 2
        assert engine.value("SELECT count(*) FROM app.workers") == 0
        assert engine.value("SELECT count(*) FROM app.tasks WHERE attempt > 0") == 0
        errors = [line["error"] for line in lines(workers) if line["event"] == "cannot start"]
        assert len(errors) == 1
        return str(errors[0])

    def test_a_task_type_without_handler(self, workers: StartWorkers, engine: Engine) -> None:
        engine.submit("hello_world", {"n": 1})
        assert "no handler for task type no_such_task" in self.refused(workers("--task-types", "hello_reply,no_such_task"), engine)

    def test_a_handler_module_that_is_missing(self, workers: StartWorkers, engine: Engine) -> None:
        engine.submit("hello_world", {"n": 1})
        environment = {"GEOMILL_HANDLER_MODULES": "no.such.module"}
        assert "no.such.module cannot be imported" in self.refused(workers(environment=environment), engine)

    def test_a_database_without_the_engine(self, workers: StartWorkers, engine: Engine) -> None:
        engine.connection.execute("REVOKE USAGE ON SCHEMA app FROM geomill_worker")
        assert "make deploy" in self.refused(workers(), engine)

    @pytest.mark.parametrize(
        ("contract", "said"),
        [
            ("SELECT 0, 0, '0.0.9'::text", ["too old", "geomill 0.0.9", "make deploy"]),
            ("SELECT 98, 99, '9.9.0'::text", ["too new", "geomill 9.9.0", "Start the workers of geomill 9.9.0"]),
            (None, ["too old", "make deploy"]),
        ],
    )
    def test_a_database_of_another_version(
        self, workers: StartWorkers, engine: Engine, contract: LiteralString | None, said: list[str]
    ) -> None:
        engine.submit("hello_world", {"n": 1})
        if contract is None:
            engine.connection.execute("DROP FUNCTION app.worker_contract()")
        else:
            engine.connection.execute(CONTRACT.format(sql.SQL(contract)))
        error = self.refused(workers(), engine)
        assert all(words in error for words in said), error

    def test_a_database_that_still_keeps_an_older_contract(self, workers: StartWorkers, engine: Engine) -> None:
        """Workers live through a deploy: the shapes that they call stay for one release."""
        engine.connection.execute(CONTRACT.format(sql.SQL("SELECT 1, 2, '9.9.0'::text")))
        job_id = engine.submit("hello_world", {"n": 1})
        assert workers("--processes", "1", "--until-idle").wait() == 0
        assert engine.job(job_id)["status"] == "completed"

    def test_an_identity_without_a_login(self, workers: StartWorkers, engine: Engine) -> None:
        environment = {"GEOMILL_IDENTITY": "system", "GEOMILL_DSN_WORKER": "host=127.0.0.1"}
        assert "GEOMILL_IDENTITY_LOGIN" in self.refused(workers(environment=environment), engine)

    def test_no_connection_string(self, workers: StartWorkers, engine: Engine, tmp_path: Path) -> None:
        environment = {"GEOMILL_DSN_WORKER": "", "GEOMILL_HOME": str(tmp_path)}
        assert "no connection string" in self.refused(workers(environment=environment), engine)

    def test_a_store_that_is_none(self, workers: StartWorkers, engine: Engine) -> None:
        assert "ftp is not a scheme" in self.refused(workers(environment={"GEOMILL_STORAGE": "ftp://bucket"}), engine)

    def test_no_password_in_the_logs(self, workers: StartWorkers) -> None:
        environment = {"GEOMILL_DSN_WORKER": "postgresql://nobody_at_all:hunter2@127.0.0.1:1/x?connect_timeout=1"}
        one = workers(environment=environment)
        wait_for(lambda: "waiting for the database" in one.output)
        assert "hunter2" not in one.output
        one.kill()


def test_only_the_task_types_asked_for(workers: StartWorkers, engine: Engine) -> None:
    job_id = engine.submit("hello_world", {"n": 3})
    one = workers("--processes", "1", "--task-types", "hello_greeting")
    wait_for(lambda: engine.job(job_id)["stage"] == 2)
    assert workers("--processes", "1", "--task-types", "hello_reply", "--until-idle").wait() == 0
    engine.wait_for_job(job_id)
    by_stage = engine.rows(
        "SELECT DISTINCT t.task_type, w.process_id FROM app.tasks AS t JOIN app.workers AS w USING (worker_key) ORDER BY t.task_type"
    )
    assert by_stage[0]["process_id"] == one.children[0] != by_stage[1]["process_id"]
