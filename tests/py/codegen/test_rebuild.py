"""Rebuild: app and pgstac are new, what was asked for and published is as it was, and nothing else was touched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from codegen import catalog, verify
from codegen.rebuild import Asked, Kind, clear, rebuild
from codegen.refusal import RefusedError
from tests.conftest import StartWorkers
from tests.py.integration.ddh import Ddh
from tests.py.support.samples import place
from tests.py.support.server import CHECKOUT, Database
from tests.py.support.waiting import wait_for
from tests.py.workers.receiver import receiver
from tests.py.workers.test_webhook_delivery import ENVIRONMENT

KILLED = CHECKOUT / "tests" / "py" / "codegen" / "rebuild_killed.py"
CONFIRMED = Asked(confirmed=True, with_cron=False)
FORCED = Asked(confirmed=True, force=True, with_cron=False)


@pytest.fixture
def ddh(database: Database) -> Ddh:
    return Ddh(database)


def run(database: Database, kind: Kind = "rebuild", asked: Asked = CONFIRMED) -> list[str]:
    """Rebuild to its good end; what it said."""
    said: list[str] = []
    assert rebuild(kind, database.dsn(), asked, said.append) == 0, said
    return said


def answered(connection: psycopg.Connection[Any], statement: str, *values: object) -> Any:
    """The one value of a query."""
    ((value,),) = connection.execute(statement.encode(), values or None).fetchall()
    return value


CATALOG_ROWS = """
    SELECT to_jsonb(x) - '{{relpages,reltuples,relallvisible,relfrozenxid,relminmxid}}'::text[]
           -- pypgstac writes its own helper anew, word for word, at each migration.
           || jsonb_build_object('xmin', CASE WHEN {name} <> 'pgstac_admin_owns' THEN x.xmin::text END)
      FROM {relation} AS x WHERE x.{schema} = ANY ('{{geo,h3,public}}'::regnamespace[]) ORDER BY x.oid
"""
TABLES = """
    SELECT relnamespace::regnamespace::text, relname FROM pg_class
     WHERE relnamespace = ANY (%s::regnamespace[]) AND relkind = 'r' ORDER BY 1, 2
"""
ROWS = "SELECT count(*), md5(string_agg(md5(concat(t.ctid, t.xmin, t)), ' ' ORDER BY t.ctid)) FROM {} AS t"
STRANGE = ["geo", "h3", "public"]


def untouched(database: Database) -> dict[str, Any]:
    """Everything of geo, h3 and public: definitions, the very rows of the catalog, and every row of every table where it lies."""
    with database.connect() as connection, connection.transaction():
        found: dict[str, Any] = {"definitions": catalog.fingerprint(catalog.read(connection, STRANGE))}
        for relation, prefix in (("pg_class", "rel"), ("pg_proc", "pro"), ("pg_type", "typ")):
            names = {"relation": relation, "schema": f"{prefix}namespace", "name": f"{prefix}name"}
            query = sql.SQL(CATALOG_ROWS).format(**{key: sql.Identifier(value) for key, value in names.items()})
            found[relation] = connection.execute(query).fetchall()
        for schema, table in connection.execute(TABLES.encode(), [STRANGE]).fetchall():
            found[f"{schema}.{table}"] = connection.execute(sql.SQL(ROWS).format(sql.Identifier(schema, table))).fetchall()
    return found


def kept(database: Database) -> dict[str, Any]:
    """What platform holds for good: clients, keys, roots, requests, rejects, deliveries, names."""
    tables = ("clients", "source_roots", "api_keys", "requests", "request_jobs", "rejects", "geo_tables")
    with database.connect() as connection:
        return {
            table: connection.execute(
                sql.SQL("SELECT to_jsonb(t) FROM {} AS t ORDER BY to_jsonb(t)::text").format(sql.Identifier("platform", table))
            ).fetchall()
            for table in tables
        }


def catalogue(database: Database) -> dict[str, Any]:
    """Collections and items as a reader gets them."""
    with database.connect() as connection:
        connection.execute("SET search_path = pgstac, public")
        return {
            "collections": connection.execute("SELECT content, partition_trunc FROM pgstac.collections ORDER BY id").fetchall(),
            "items": connection.execute("SELECT pgstac.get_item(id, collection) FROM pgstac.items ORDER BY collection, id").fetchall(),
        }


def published(ddh: Ddh, source_root: Path, workers: StartWorkers) -> dict[str, str]:
    """A vector, a raster and a collection request, brought to their ends by real workers; their ids."""
    scene = place("L7_ETMs.tif", source_root)
    members = source_root / "members"
    members.mkdir()
    for name in ("first.tif", "second.tif"):
        (members / name).write_bytes(scene.read_bytes())
    requests = {
        "vector": ddh.submit("counties", place("nc.gpkg", source_root))[0],
        "raster": ddh.submit("scene", scene)[0],
        "collection": ddh.submit("members", f"{members}/", "collection")[0],
    }
    assert workers("--until-idle").wait() == 0
    for request in requests.values():
        assert ddh.status(request)["status"] == "completed", ddh.status(request)
    return requests


def test_everything_is_as_it_was_but_the_engines_history(
    ddh: Ddh, database: Database, source_root: Path, storage: Path, workers: StartWorkers
) -> None:
    requests = published(ddh, source_root, workers)
    with database.connect() as admin:
        # More than a batch; others write into the catalogue as well, and a DBA has tables and settings of their own.
        given_items(admin, 1100)
        admin.execute("SELECT pgstac.create_collection(pgstac.get_collection('ddh_vectors') || '{\"id\": \"theirs\"}')")
        admin.execute("UPDATE pgstac.collections SET partition_trunc = 'year' WHERE id = 'theirs'")
        admin.execute(
            """
            SELECT pgstac.upsert_items(jsonb_build_array(
                pgstac.get_item('road_counties_v1', 'ddh_vectors') || '{"id": "x", "collection": "theirs"}'))
            """
        )
        admin.execute("CREATE TABLE public.notes AS SELECT 1 AS one")
        admin.execute("CREATE TABLE geo.by_hand AS SELECT 2 AS two")
        admin.execute("SELECT app.pause_task_type('hello_reply', 'the test wants it')")
        admin.execute("SELECT app.schedule_job('nightly', '0 3 * * *', 'hello_world', '{\"n\": 1}')")
        admin.execute("SELECT app.set_cap('task_type', 'vector_plan', 3)")
        schedule = answered(admin, "SELECT to_jsonb(s) FROM app.schedules AS s")
        deployments = answered(admin, "SELECT jsonb_agg(to_jsonb(d) ORDER BY d) FROM app.schema_deployments AS d")
        last_stage = answered(admin, "SELECT max(stage_id) FROM app.stages")
    before = untouched(database), kept(database), catalogue(database)
    files = sorted(storage.rglob("*"))

    said = run(database)
    assert said[-1] == "rebuild done, and verified"
    assert untouched(database) == before[0]
    assert kept(database) == before[1]
    assert catalogue(database) == before[2]
    assert sorted(storage.rglob("*")) == files
    assert verify.verify(database.dsn(), lambda _: None, with_cron=False) == []
    with database.connect() as admin:
        assert answered(admin, "SELECT count(*) FROM app.jobs") == 0
        history = answered(admin, "SELECT jsonb_agg(to_jsonb(d) ORDER BY d) FROM app.schema_deployments AS d")
        assert history[:-1] == deployments
        assert (history[-1]["kind"], history[-1]["status"]) == ("rebuild", "completed")
        assert answered(admin, "SELECT array_agg(task_type) FROM app.paused_task_types") == ["hello_reply"]
        assert answered(admin, "SELECT to_jsonb(s) FROM app.schedules AS s") == schedule
        assert answered(admin, "SELECT count(*) FROM app.slots AS s JOIN app.caps AS c USING (cap_id) WHERE s.task_id IS NULL") == 3
        assert answered(admin, "SELECT array_agg(phase) FROM platform.rebuilds WHERE completed_at IS NOT NULL") == ["done"]
        admin.execute("SELECT app.resume_task_type('hello_reply')")

    # Everything that a client can do with a request it can still do.
    assert {one["request_id"] for one in listed(database)} == set(requests.values())
    assert ddh.search(ids=["road_counties_v1"])[0]["properties"]["table:row_count"] == 100
    assert ddh.submit("counties", source_root / "nc.gpkg") == (requests["vector"], False)
    assert ddh.submit("scene", source_root / "L7_ETMs.tif", overwrite=True) == (requests["raster"], True)
    unpublish(database, requests["collection"])
    assert workers("--until-idle").wait() == 0
    assert ddh.status(requests["raster"])["status"] == "completed"
    assert ddh.status(requests["raster"])["revision"] == 2
    assert ddh.status(requests["collection"])["status"] == "unpublished"
    assert ddh.search(collections=["ddh_road_members_v1"]) == []
    with database.connect() as admin:
        assert answered(admin, "SELECT min(stage_id) FROM app.stages") > last_stage, "no task has the number of one before the wipe"
        assert answered(admin, "SELECT count(*) FROM platform.published_items WHERE collection = 'ddh_road_members_v1'") == 0
    assert not [file for file in storage.rglob("*") if file.is_file() and requests["collection"] in str(file)]


def listed(database: Database) -> list[dict[str, Any]]:
    with database.connect("ddh") as client:
        return [row[0] for row in client.execute("SELECT to_jsonb(r) FROM platform.list_requests() AS r")]


def unpublish(database: Database, request: str) -> dict[str, Any]:
    with database.connect("ddh") as client:
        document: dict[str, Any] = answered(client, "SELECT platform.unpublish_request(%s, false)", request)
        return document


def test_what_was_under_way_has_failed_and_can_be_retried(ddh: Ddh, database: Database, source_root: Path, workers: StartWorkers) -> None:
    source = place("nc.gpkg", source_root)
    with database.connect("ddh") as client:
        (waiting,) = client.execute(
            "SELECT request_id FROM platform.submit_request('road', 'waiting', 'v1', %s, callback_url => 'https://hub.example/done')",
            [str(source)],
        ).fetchall()[0]
    begun, _ = ddh.submit("begun", source)
    with database.connect() as admin:
        (task, attempt) = admin.execute("SELECT task_id, attempt FROM app.claim_tasks('gone', NULL, 1)").fetchall()[0]
        admin.execute("SELECT app.submit_job('hello_world', '{\"n\": 1}')")

    with pytest.raises(RefusedError, match="1 tasks or holds are running") as refusal:
        rebuild("rebuild", database.dsn(), CONFIRMED, lambda _: None)
    assert "--force" in refusal.value.remedy
    said = run(database, asked=FORCED)
    assert any(f"task {task} (attempt {attempt}) vector_plan" in line for line in said)
    assert any("serve no request, and are lost: 1 hello_world" in line for line in said)

    with database.connect() as admin:
        # The worker that had it comes back late.
        finished = Jsonb([{"task_id": task, "attempt": attempt, "result_data": {"late": True}}])
        before = answered(admin, "SELECT jsonb_agg(to_jsonb(t) ORDER BY t) FROM app.tasks AS t")
        assert admin.execute("SELECT * FROM app.turn('gone', %s, NULL, 0)", [finished]).fetchall() == []
        assert answered(admin, "SELECT jsonb_agg(to_jsonb(t) ORDER BY t) FROM app.tasks AS t") == before, "and changes nothing"
        with database.connect("worker", autocommit=False) as worker:
            worker.execute("SELECT app.hold_task(%s, %s)", [task, attempt])
            worker.execute("CREATE TABLE geo.late_effect (one integer)")
            with pytest.raises(psycopg.DatabaseError, match="task"):
                worker.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, NULL)", [task, attempt])
        assert answered(admin, "SELECT to_regclass('geo.late_effect') IS NULL")
        owed = admin.execute(
            "SELECT d.payload ->> 'status', d.status, j.status FROM platform.webhook_deliveries AS d JOIN app.jobs AS j USING (job_id)"
        ).fetchall()
        assert owed == [("failed", "pending", "pending")], "its client is told"
    for request in (waiting, begun):
        document = ddh.status(request)
        assert (document["status"], document["error"]["code"], document["error"]["retryable"]) == ("failed", "INTERRUPTED_BY_REBUILD", True)
        assert document["error"]["category"] == "system"
        assert "retry_request" in document["error"]["remediation"]
        with database.connect("ddh") as client:
            assert answered(client, "SELECT platform.retry_request(%s)", request)["status"] == "pending"
    with receiver() as hub:
        with database.connect() as admin:
            # The API takes https only.
            admin.execute("UPDATE platform.webhook_deliveries SET callback_url = %s", [hub.url("/ok")])
        one = workers(environment=ENVIRONMENT)
        wait_for(lambda: {ddh.status(request)["status"] for request in (waiting, begun)} == {"completed"} and len(hub.calls) > 0, 60)
        one.end()
    calls = [json.loads(call.body) for call in hub.calls]
    told = [(call["request_id"], call["revision"], call["error"]["code"]) for call in calls if call["status"] == "failed"]
    assert told == [(waiting, 1, "INTERRUPTED_BY_REBUILD")], "once"
    assert len(ddh.search(collections=["ddh_vectors"])) == 2


PHASES = [
    "before the wipe commits",
    "after the wipe",
    "while pypgstac runs",
    "after pgstac",
    "before the catalogue commits",
    "after the catalogue",
    "before the end",
]


QUICK = ("while pypgstac runs", "before the catalogue commits")


@pytest.mark.parametrize("phase", [pytest.param(phase, marks=[] if phase in QUICK else [pytest.mark.slow]) for phase in PHASES])
def test_killed_at_any_step_it_is_taken_up(phase: str, ddh: Ddh, database: Database, source_root: Path) -> None:
    source = place("nc.gpkg", source_root)
    request, _ = ddh.submit("waiting", source)
    with database.connect() as admin:
        given_items(admin)
    before = untouched(database), catalogue(database), kept(database)
    killed = subprocess.run(
        [sys.executable, str(KILLED), phase],
        cwd=CHECKOUT,
        env=database.environment() | {"GEOMILL_DSN_SUPERUSER": database.dsn(), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    with database.connect() as admin:
        # The kill left its backends to find out by themselves.
        wait_for(
            lambda: (
                answered(
                    admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'geomill%'"
                )
                == 0
            )
        )
        reached = admin.execute("SELECT phase FROM platform.rebuilds").fetchall()
    assert (
        reached
        == {0: [], 1: [("wiped",)], 2: [("wiped",)], 3: [("wiped",)], 4: [("made",)], 5: [("made",)], 6: [("republished",)]}[
            PHASES.index(phase)
        ]
    )
    said = run(database)
    assert said[-1] == "rebuild done, and verified"
    assert untouched(database) == before[0]
    assert catalogue(database) == before[1]
    assert ddh.status(request)["error"]["code"] == "INTERRUPTED_BY_REBUILD"
    after = kept(database)
    assert {table: rows for table, rows in after.items() if table != "requests"} == {
        table: rows for table, rows in before[2].items() if table != "requests"
    }
    with database.connect() as admin:
        assert admin.execute("SELECT phase FROM platform.rebuilds").fetchall() == [("done",)]
        assert answered(admin, "SELECT count(*) FROM app.schema_deployments WHERE kind = 'rebuild'") == 1


def given_items(admin: psycopg.Connection[Any], items: int = 60) -> None:
    """A collection with items, published as workers do."""
    admin.execute(
        """
        SELECT app.stac_ensure_collection(jsonb_build_object('type', 'Collection', 'stac_version', '1.1.0', 'id', 'many',
            'description', 'Many', 'license', 'other', 'links', '[]'::jsonb, 'extent',
            '{"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[null, null]]}}'::jsonb))
        """
    )
    admin.execute(
        """
        SELECT app.stac_upsert_items(jsonb_agg(jsonb_build_object('type', 'Feature', 'stac_version', '1.1.0', 'id', 'item_' || n,
                   'collection', 'many', 'links', '[]'::jsonb, 'bbox', jsonb_build_array(n %% 90, 1, n %% 90 + 1, 2),
                   'geometry', public.ST_AsGeoJSON(public.ST_MakeEnvelope(n %% 90, 1, n %% 90 + 1, 2, 4326))::jsonb,
                   'properties', '{"datetime": "2024-01-01T00:00:00Z", "geomill:request_id": "none", "geomill:revision": 1}'::jsonb,
                   'assets', jsonb_build_object('data', jsonb_build_object('href', 'x' || n)))))
          FROM generate_series(1, %s) AS n
        """,
        [items],
    )


@pytest.mark.slow
def test_workers_live_through_it(database: Database, workers: StartWorkers) -> None:
    one = workers("--processes", "2")
    alive = "SELECT count(*) FROM app.workers WHERE status = 'alive'"
    with database.connect() as admin:
        wait_for(lambda: answered(admin, alive) == 2)
        first = answered(admin, "SELECT app.submit_job('hello_world', '{\"n\": 50}')")
        wait_for(lambda: answered(admin, "SELECT status FROM app.jobs WHERE job_id = %s", first) == "completed")
    run(database)
    with database.connect() as admin:
        second = answered(admin, "SELECT app.submit_job('hello_world', '{\"n\": 50}')")
        assert second == first, "the same work has the same name, and the engine has forgotten it"
        wait_for(lambda: answered(admin, "SELECT status FROM app.jobs WHERE job_id = %s", second) == "completed")
        wait_for(lambda: answered(admin, alive) == 2, message="both are there again")
    assert one.running
    one.terminate()
    assert one.wait() == 0
    assert "Traceback" not in one.output


def test_workers_in_the_middle_of_work_live_through_a_forced_one(database: Database, workers: StartWorkers) -> None:
    one = workers("--processes", "2")
    with database.connect() as admin:
        admin.execute(
            "SELECT app.submit_job('hello_world', jsonb_build_object('n', 1000, 'message', m::text)) FROM generate_series(1, 40) AS m"
        )
        wait_for(lambda: answered(admin, "SELECT count(*) FROM app.tasks WHERE status = 'completed'") > 500)
        assert answered(admin, "SELECT count(*) FROM app.jobs WHERE status IN ('pending', 'processing')") > 0
    run(database, asked=FORCED)
    with database.connect() as admin:
        job = answered(admin, "SELECT app.submit_job('hello_world', '{\"n\": 100}')")
        wait_for(lambda: answered(admin, "SELECT status FROM app.jobs WHERE job_id = %s", job) == "completed")
        assert admin.execute("SELECT status, count(*) FROM app.jobs GROUP BY 1").fetchall() == [("completed", 1)]
    one.terminate()
    assert one.wait() == 0


def test_a_hold_is_a_running_task_and_its_effects_go_when_forced(database: Database) -> None:
    with database.connect() as admin, database.connect("worker", autocommit=False) as worker:
        admin.execute("SELECT app.submit_job('hello_world', '{\"n\": 1}')")
        (task, attempt) = worker.execute("SELECT task_id, attempt FROM app.claim_tasks('w', NULL, 1)").fetchall()[0]
        worker.commit()
        worker.execute("SELECT app.hold_task(%s, %s)", [task, attempt])
        worker.execute("CREATE TABLE geo.effect (one integer)")
        admin.execute("UPDATE app.tasks SET status = 'failed'")
        with pytest.raises(RefusedError, match="1 tasks or holds are running"):
            rebuild("rebuild", database.dsn(), CONFIRMED, lambda _: None)
        run(database, asked=FORCED)
        with pytest.raises(psycopg.OperationalError):
            worker.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, NULL)", [task, attempt])
        assert answered(admin, "SELECT to_regclass('geo.effect') IS NULL")


def test_without_confirmation_nothing_changes(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from codegen.__main__ import main

    monkeypatch.setenv("GEOMILL_DSN_SUPERUSER", database.dsn())
    with database.connect() as admin:
        given_items(admin, 3)
        before = answered(admin, "SELECT array_agg(oid ORDER BY oid) FROM pg_class")
        for command in (["rebuild"], ["redeploy-app"], ["redeploy-pgstac"], ["stac-clear", "--mode", "all"]):
            assert main([*command]) == 1
            shown = capsys.readouterr()
            assert "CONFIRM=yes" in shown.err
            assert "--confirm" in shown.err
            assert command == ["redeploy-app"] or "many (3 items)" in shown.out
            assert main([*command, "--dry-run", "--confirm"]) == 0
            assert capsys.readouterr().out == shown.out
        assert answered(admin, "SELECT array_agg(oid ORDER BY oid) FROM pg_class") == before


@pytest.mark.parametrize("asked", [CONFIRMED, FORCED, Asked(dry_run=True)])
def test_production_is_refused_and_no_flag_opens_it(asked: Asked, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOMILL_ENVIRONMENT", "prod")
    with pytest.raises(RefusedError, match="production"):
        rebuild("rebuild", database.dsn(), asked, lambda _: None)
    with pytest.raises(RefusedError, match="production"):
        clear("items", database.dsn(), asked, lambda _: None)


def test_what_others_built_upon_it_is_in_the_way(database: Database) -> None:
    with database.connect() as admin:
        admin.execute("CREATE VIEW public.open_jobs AS SELECT job_id FROM app.jobs")
        admin.execute("CREATE TABLE geo.watched (status app.job_status)")
        with pytest.raises(
            RefusedError, match=r"rule .*public\.open_jobs.*table column geo\.watched\.status|table column.*rule"
        ) as refusal:
            rebuild("rebuild", database.dsn(), FORCED, lambda _: None)
        assert "nothing was changed" in str(refusal.value)
        assert answered(admin, "SELECT count(*) FROM public.open_jobs") == 0
        admin.execute("DROP VIEW public.open_jobs; DROP TABLE geo.watched")
    run(database)


def test_one_at_a_time(database: Database) -> None:
    with database.connect() as other:
        other.execute("SELECT pg_advisory_lock(71107, 0)")
        with pytest.raises(RefusedError, match="under way"):
            rebuild("rebuild", database.dsn(), CONFIRMED, lambda _: None)


@pytest.mark.slow
def test_another_command_waits_for_one_that_was_interrupted(database: Database) -> None:
    with database.connect() as admin:
        admin.execute(
            "INSERT INTO platform.rebuilds (kind, phase, requested_by, software_version) VALUES ('redeploy-pgstac', 'wiped', 'me', '1')"
        )
    with pytest.raises(RefusedError, match="redeploy-pgstac has not come to its end") as refusal:
        rebuild("rebuild", database.dsn(), CONFIRMED, lambda _: None)
    assert "make redeploy-pgstac CONFIRM=yes" in refusal.value.remedy
    with pytest.raises(RefusedError, match="redeploy-pgstac has not come to its end"):
        clear("all", database.dsn(), CONFIRMED, lambda _: None)
    run(database, "redeploy-pgstac")
    run(database)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP SCHEMA app CASCADE",
        "DROP SCHEMA pgstac CASCADE",
        pytest.param("DROP TABLE app.jobs CASCADE", marks=pytest.mark.slow),
        pytest.param("ALTER TABLE app.tasks DROP COLUMN attempt", marks=pytest.mark.slow),
    ],
)
def test_what_is_broken_is_made_whole(damage: str, ddh: Ddh, database: Database, source_root: Path) -> None:
    request, _ = ddh.submit("waiting", place("nc.gpkg", source_root))
    with database.connect() as admin:
        given_items(admin, 3)
        before = catalogue(database)
        admin.execute(damage.encode())
    run(database, asked=FORCED)
    assert ddh.status(request)["status"] == "failed"
    assert catalogue(database) == before


def test_a_catalogue_that_cannot_be_read_is_not_given_up_unasked(database: Database) -> None:
    with database.connect() as admin:
        given_items(admin, 3)
        admin.execute("ALTER TABLE pgstac.collections RENAME COLUMN content TO contents")
    with pytest.raises(RefusedError, match="could not be copied"):
        rebuild("rebuild", database.dsn(), CONFIRMED, lambda _: None)
    run(database, asked=FORCED)
    assert len(catalogue(database)["items"]) == 3, "platform had kept them"


def test_what_cannot_be_published_again_is_named(ddh: Ddh, database: Database, source_root: Path, workers: StartWorkers) -> None:
    lost, _ = ddh.submit("lost", place("nc.gpkg", source_root))
    spoilt, _ = ddh.submit("spoilt", place("nc.gpkg", source_root))
    assert workers("--until-idle").wait() == 0
    with database.connect() as admin:
        # As if it was published before items were kept, and the catalogue lost it too.
        admin.execute("DELETE FROM pgstac.items")
        admin.execute("DELETE FROM platform.published_items WHERE request_id = %s", [lost])
        admin.execute("UPDATE platform.requests SET stac_metadata = NULL WHERE request_id = %s", [lost])
        admin.execute("UPDATE platform.published_items SET document = document #- '{properties,datetime}'")
    said: list[str] = []
    assert rebuild("redeploy-pgstac", database.dsn(), CONFIRMED, said.append) == 2
    left = [line for line in said if line.startswith("not published again")]
    assert len(left) == 2
    assert any("road_spoilt_v1" in line and spoilt in line and "datetime" in line for line in left)
    assert any("road_lost_v1" in line and lost in line and "neither pgstac nor platform" in line for line in left)


@pytest.mark.slow
def test_published_before_items_were_kept(ddh: Ddh, database: Database, source_root: Path, workers: StartWorkers) -> None:
    request, _ = ddh.submit("old", place("nc.gpkg", source_root))
    assert workers("--until-idle").wait() == 0
    with database.connect() as admin:
        admin.execute("DELETE FROM platform.published_items; DELETE FROM platform.published_collections")
    before = catalogue(database)
    run(database)
    assert catalogue(database) == before
    with database.connect() as admin:
        # Nor is it lost where only the request itself still knows.
        admin.execute("DELETE FROM platform.published_items; DELETE FROM platform.published_collections; DROP SCHEMA pgstac CASCADE")
    run(database)
    (item,) = ddh.search(ids=["road_old_v1"])
    assert item["properties"]["geomill:request_id"] == request


def test_redeploying_app_leaves_the_catalogue_alone(ddh: Ddh, database: Database, source_root: Path, workers: StartWorkers) -> None:
    request, _ = ddh.submit("counties", place("nc.gpkg", source_root))
    assert workers("--until-idle").wait() == 0
    before = catalogue(database)
    with database.connect() as admin:
        items = answered(admin, "SELECT oid FROM pg_class WHERE oid = 'pgstac.items'::regclass")
        run(database, "redeploy-app")
        assert answered(admin, "SELECT oid FROM pg_class WHERE oid = 'pgstac.items'::regclass") == items
        assert answered(admin, "SELECT kind FROM app.schema_deployments ORDER BY deployment_id DESC LIMIT 1") == "redeploy"
    assert catalogue(database) == before
    unpublish(database, request)
    assert workers("--until-idle").wait() == 0
    assert ddh.status(request)["status"] == "unpublished"
    assert catalogue(database)["items"] == []


def test_redeploying_pgstac_leaves_the_engine_alone(ddh: Ddh, database: Database, source_root: Path, workers: StartWorkers) -> None:
    ddh.submit("counties", place("nc.gpkg", source_root))
    assert workers("--until-idle").wait() == 0
    waiting, _ = ddh.submit("waiting", place("nc.gpkg", source_root))
    before = catalogue(database)
    with database.connect() as admin:
        jobs = admin.execute("SELECT to_jsonb(j) FROM app.jobs AS j ORDER BY job_id").fetchall()
        run(database, "redeploy-pgstac")
        assert admin.execute("SELECT to_jsonb(j) FROM app.jobs AS j ORDER BY job_id").fetchall() == jobs
    assert catalogue(database) == before
    assert workers("--until-idle").wait() == 0
    assert ddh.status(waiting)["status"] == "completed"


@pytest.mark.parametrize("mode", [pytest.param("items", marks=pytest.mark.slow), "all"])
def test_a_cleared_catalogue_comes_back(mode: Any, ddh: Ddh, database: Database, source_root: Path, workers: StartWorkers) -> None:
    request, _ = ddh.submit("counties", place("nc.gpkg", source_root))
    gone, _ = ddh.submit("gone", place("nc.gpkg", source_root))
    assert workers("--until-idle").wait() == 0
    before = catalogue(database)
    said: list[str] = []
    assert clear(mode, database.dsn(), CONFIRMED, said.append) == 0
    assert any(request in line for line in said), "who is left pointing at nothing"
    after = catalogue(database)
    assert after["items"] == []
    assert after["collections"] == before["collections"], "those that clients publish into come again at once"
    assert ddh.status(request)["status"] == "completed"
    unpublish(database, gone)
    assert workers("--until-idle").wait() == 0
    run(database, "redeploy-pgstac")
    assert [item["id"] for (item,) in catalogue(database)["items"]] == ["road_counties_v1"], "but not what was taken back meanwhile"
    assert [content["id"] for content, _ in catalogue(database)["collections"]] == ["ddh_rasters", "ddh_vectors"]


def test_clients_meanwhile_lose_nothing(ddh: Ddh, database: Database, source_root: Path) -> None:
    """Submissions beside a rebuild come through or fail whole: none is there without a job, none has a job and is not there."""
    source = place("nc.gpkg", source_root)
    stop, accepted, unexpected = threading.Event(), [], []

    def submit() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                accepted.append(ddh.submit(f"one_{number}", source)[0])
            except psycopg.errors.DatabaseError as error:
                if not isinstance(error, psycopg.InternalError | psycopg.ProgrammingError | psycopg.OperationalError):
                    unexpected.append(repr(error))

    client = threading.Thread(target=submit)
    client.start()
    try:
        wait_for(lambda: len(accepted) > 3)
        run(database)
        count = len(accepted)
        wait_for(lambda: len(accepted) > count + 3)
    finally:
        stop.set()
        client.join()
    assert unexpected == []
    with database.connect() as admin:
        states = dict(admin.execute("SELECT request_id, status::text FROM platform.requests").fetchall())
        assert set(states) == set(accepted)
        open_jobs = admin.execute("SELECT platform_request_id FROM app.jobs WHERE platform_request_id IS NOT NULL").fetchall()
    assert {row[0] for row in open_jobs} == {request for request, status in states.items() if status == "pending"}
    assert set(states.values()) == {"pending", "failed"}
