"""Under REPEATABLE READ and SERIALIZABLE every function that writes refuses, and those that read are exact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, LiteralString

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.types.json import Jsonb

from tests.py.platform.together import value
from tests.py.support.server import Database, Role

CLIENT = "ddh_v1"
ERROR = Jsonb({"code": "X", "message": "x"})
COLLECTION = Jsonb({"type": "Collection", "id": "iso", "stac_version": "1.1.0", "description": "x", "license": "other", "links": [],
                    "extent": {"spatial": {"bbox": [[0, 0, 1, 1]]}, "temporal": {"interval": [[None, None]]}}})  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call of a public function; names in the statement are those of `facts`."""

    statement: LiteralString
    role: Role = "worker"
    does: Literal["refuses", "reads"] = "refuses"


CALLS: dict[str, Call] = {
    "app.advance_job_stage": Call("SELECT * FROM app.advance_job_stage(%(job)s, 1)"),
    "app.cancel_job": Call("SELECT app.cancel_job(%(job)s)"),
    "app.claim_tasks": Call("SELECT * FROM app.claim_tasks('iso', NULL, 1)"),
    "app.clock": Call("SELECT app.clock()", does="reads"),
    "app.complete_task_and_check_stage": Call("SELECT * FROM app.complete_task_and_check_stage(%(task)s, 1, NULL)"),
    "app.fail_task": Call("SELECT * FROM app.fail_task(%(task)s, 1, %(error)s)"),
    "app.heartbeat": Call("SELECT * FROM app.heartbeat('iso')"),
    "app.hold_task": Call("SELECT app.hold_task(%(task)s, 1)"),
    "app.increment_task_retry_count": Call("SELECT * FROM app.increment_task_retry_count(%(task)s, 1, %(error)s)"),
    "app.pause_client": Call("SELECT app.pause_client('hub', 'x')"),
    "app.pause_task_type": Call("SELECT app.pause_task_type('x', 'x')"),
    "app.report_probe": Call("SELECT app.report_probe('storage', 'x', true, '{}', 'w')"),
    "app.redrive_task": Call("SELECT app.redrive_task(%(failed)s)"),
    "app.register_worker": Call("SELECT app.register_worker('iso2')"),
    "app.release_tasks": Call("SELECT app.release_tasks('iso')"),
    "app.resume_client": Call("SELECT app.resume_client('hub')"),
    "app.resume_task_type": Call("SELECT app.resume_task_type('x')"),
    "app.retry_job": Call("SELECT app.retry_job(%(failed_job)s)"),
    "app.run_janitor": Call("SELECT app.run_janitor()"),
    "app.schedule_job": Call("SELECT app.schedule_job('x', '* * * * *', 'hello_world', '{\"n\": 1}')", role="admin"),
    "app.unschedule_job": Call("SELECT app.unschedule_job('x')", role="admin"),
    "app.set_cap": Call("SELECT app.set_cap('client', 'hub', 3)"),
    "app.set_retention": Call("SELECT * FROM app.set_retention('jobs', 30)", role="admin"),
    "app.stac_delete_collection": Call("SELECT app.stac_delete_collection('iso', 'r', 1)"),
    "app.stac_delete_items": Call("SELECT app.stac_delete_items('iso', '{a}')"),
    "app.stac_discard_items": Call("SELECT app.stac_discard_items('r', 1, '{}')"),
    "app.stac_ensure_collection": Call("SELECT app.stac_ensure_collection(%(collection)s)"),
    "app.stac_register_search": Call("SELECT app.stac_register_search('iso')"),
    "app.stac_retire_items": Call("SELECT app.stac_retire_items('iso', 'r', '{}')"),
    "app.stac_upsert_collection": Call("SELECT app.stac_upsert_collection(%(collection)s)"),
    "app.stac_upsert_items": Call("SELECT app.stac_upsert_items('[]')"),
    "app.stac_withdraw": Call("SELECT app.stac_withdraw('r', 1, 'iso', 'a')"),
    "app.submit_job": Call("SELECT app.submit_job('hello_world', '{\"n\": 9}')"),
    "app.submit_job_with_options": Call("SELECT app.submit_job_with_options('hello_world', '{\"n\": 9}', '{\"priority\": 1}')"),
    "app.turn": Call("SELECT * FROM app.turn('iso', '[]', NULL, 1)"),
    "platform.allow_source_root": Call("SELECT platform.allow_source_root(%(client)s, '/data/x/')", role="admin"),
    "platform.authenticate": Call("SELECT platform.authenticate('x')", role="superuser", does="reads"),
    "platform.begin_delivery_v2": Call("SELECT * FROM platform.begin_delivery_v2(%(task)s, 1)"),
    "platform.begin_delivery": Call("SELECT * FROM platform.begin_delivery(%(task)s, 1)"),
    "platform.cancel_request": Call("SELECT platform.cancel_request(%(request)s)", role="ddh"),
    "platform.configure_client": Call("SELECT platform.configure_client(%(client)s)", role="admin"),
    "platform.create_api_key": Call("SELECT platform.create_api_key(%(client)s, 'internal')", role="admin"),
    "platform.revoke_api_key": Call("SELECT platform.revoke_api_key(1)", role="admin"),
    "platform.rotate_api_key": Call("SELECT platform.rotate_api_key(1)", role="admin"),
    "platform.set_webhook_secret": Call("SELECT platform.set_webhook_secret(%(client)s, 'x')", role="admin"),
    "platform.create_client": Call("SELECT platform.create_client('x', 'x', 'x', 'x')", role="admin"),
    "platform.get_mosaic_search": Call("SELECT platform.get_mosaic_search(%(request)s)", role="ddh"),
    "platform.find_by_source": Call("SELECT * FROM platform.find_by_source(repeat('0', 64))", role="ddh", does="reads"),
    "platform.get_lineage": Call("SELECT platform.get_lineage(%(request)s)", role="ddh", does="reads"),
    "platform.get_statistics": Call("SELECT platform.get_statistics(%(request)s)", role="ddh", does="reads"),
    "platform.request_statistics": Call("SELECT platform.request_statistics(%(request)s, '{}')", role="ddh"),
    "platform.get_rejects": Call("SELECT * FROM platform.get_rejects(%(request)s)", role="ddh", does="reads"),
    "platform.get_request_status": Call("SELECT platform.get_request_status(%(request)s)", role="ddh", does="reads"),
    "platform.list_requests": Call("SELECT * FROM platform.list_requests()", role="ddh", does="reads"),
    "platform.holds_artefacts": Call("SELECT platform.holds_artefacts(%(request)s, 1)"),
    "platform.release_artefacts": Call("SELECT * FROM platform.release_artefacts(%(cancelled)s, 1, 1)"),
    "platform.use_artefacts": Call("SELECT platform.use_artefacts(%(task)s, 1, repeat('0', 64), 'x')"),
    "platform.release_artefacts_v2": Call("SELECT * FROM platform.release_artefacts_v2(%(cancelled)s, 1, 1)"),
    "platform.show_members": Call("SELECT platform.show_members(%(task)s, 1, '[]')"),
    "platform.use_member": Call("SELECT platform.use_member(%(task)s, 1, 'i', 'k', 'f', 's', %(request)s)"),
    "platform.mend_catalogue": Call("SELECT platform.mend_catalogue()"),
    "platform.notification_channel": Call("SELECT platform.notification_channel()", role="ddh"),
    "platform.record_failed_call": Call("SELECT platform.record_failed_call(%(task)s, 1, 'x')"),
    "platform.record_rejects": Call("SELECT platform.record_rejects(%(task)s, 1, 'x', '[]')"),
    "platform.recorded_rejects": Call("SELECT * FROM platform.recorded_rejects(%(task)s, 1, 0, 10)", does="reads"),
    "platform.reserve_layer_table": Call("SELECT platform.reserve_layer_table(%(task)s, 1, 'x')"),
    "platform.redeliver_webhook": Call("SELECT platform.redeliver_webhook(%(delivery)s)", role="admin"),
    "platform.retry_request": Call("SELECT platform.retry_request(%(cancelled)s)", role="ddh"),
    "platform.rotate_webhook_secret": Call("SELECT platform.rotate_webhook_secret(%(client)s)", role="admin"),
    "platform.stac_search": Call("SELECT platform.stac_search('{}')", role="ddh", does="reads"),
    "platform.submit_request": Call("SELECT * FROM platform.submit_request('d', 'r', 'new', '/data/iso/a.gpkg')", role="ddh"),
    "platform.submit_requests": Call("SELECT * FROM platform.submit_requests(%(requests)s)", role="ddh"),
    "platform.unpublish_request": Call("SELECT platform.unpublish_request(%(cancelled)s, false)", role="ddh"),
}  # fmt: skip

HELPERS = ("app.raise_problems", "app.require_read_committed")
"""Raise, and do nothing else."""

Facts = Mapping[str, Any]


@pytest.fixture(scope="module")
def facts(module_database: Database) -> Iterator[Facts]:
    """One of each thing that a call may be about."""
    element = {"dataset_id": "d", "resource_id": "r", "version_id": "many", "source_path": "/data/iso/b.gpkg"}
    submit = "SELECT request_id FROM platform.submit_request('d', 'r', %s, '/data/iso/a.gpkg', callback_url => 'https://example.org/hook')"
    with module_database.connect() as admin, module_database.connect("ddh") as ddh:
        admin.execute("SELECT platform.allow_source_root(%s, '/data/iso/')", (CLIENT,))
        running = value(admin, "SELECT app.submit_job('hello_world', '{\"n\": 2}')")
        task = value(admin, "SELECT task_id FROM app.claim_tasks('iso', '{hello_greeting}', 1)")
        failed_job = value(admin, "SELECT app.submit_job('hello_world', '{\"n\": 1}', 1)")
        failed = value(admin, "SELECT task_id FROM app.claim_tasks('iso', '{hello_greeting}', 1)")
        admin.execute("SELECT * FROM app.fail_task(%s, 1, %s)", (failed, ERROR))
        request, cancelled = value(ddh, submit, "running"), value(ddh, submit, "cancelled")
        ddh.execute("SELECT platform.cancel_request(%s)", (cancelled,))
        delivery = value(admin, "SELECT delivery_id FROM platform.webhook_deliveries")
        yield {
            "job": running, "task": task, "failed_job": failed_job, "failed": failed, "request": request, "cancelled": cancelled,
            "delivery": delivery, "client": CLIENT, "error": ERROR, "collection": COLLECTION, "requests": Jsonb([element]),
        }  # fmt: skip


def test_every_public_function_that_may_write_is_here(module_database: Database) -> None:
    with module_database.connect() as admin:
        public = admin.execute(
            """
            SELECT DISTINCT p.pronamespace::regnamespace || '.' || p.proname
              FROM pg_proc AS p CROSS JOIN aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
             WHERE p.pronamespace IN ('app'::regnamespace, 'platform'::regnamespace)
               AND a.privilege_type = 'EXECUTE' AND p.provolatile = 'v'
               AND r.rolname IN ('geomill_worker', 'geomill_client', 'geomill_gateway', 'geomill_admin')
            """
        ).fetchall()
    assert {name for (name,) in public} == {*CALLS, *HELPERS}


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE], ids=lambda level: level.name)
@pytest.mark.parametrize("function", CALLS)
def test_it_refuses_or_only_reads(module_database: Database, facts: Facts, function: str, level: IsolationLevel) -> None:
    call = CALLS[function]
    with module_database.connect(call.role, autocommit=False) as connection:
        connection.isolation_level = level
        if call.does == "reads":
            connection.execute(call.statement, facts)
            return
        with pytest.raises(psycopg.Error) as refusal:
            connection.execute(call.statement, facts)
    assert refusal.value.sqlstate == "25001"
    detail = json.loads(refusal.value.diag.message_detail or "{}")
    assert detail["code"] == "ISOLATION_LEVEL"
    assert detail["remediation"] == "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED"
