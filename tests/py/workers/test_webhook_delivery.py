"""From the end of a request to its receiver, by worker processes on a real engine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from standardwebhooks.webhooks import Webhook

from tests.conftest import CLIENT, StartWorkers
from tests.py.support.server import CHECKOUT, Database
from tests.py.support.waiting import wait_for
from tests.py.workers.receiver import Receiver, receiver

ENVIRONMENT = {"GEOMILL_WEBHOOK_KEY": "a key for tests, of thirty-two characters and more", "GEOMILL_WEBHOOK_ALLOW_LOOPBACK": "1"}


@dataclass
class Owed:
    """A request that was cancelled, whose client is owed a call, and the engine without patience between attempts."""

    connection: psycopg.Connection[Any]
    request_id: str

    def to(self, url: str) -> None:
        # The API takes https only.
        self.connection.execute("UPDATE platform.webhook_deliveries SET callback_url = %s", (url,))

    def row(self) -> dict[str, Any]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(
                "SELECT d.delivery_id, d.status::text, d.attempts, d.last_error, d.completed_at, d.payload, r.callback_status::text"
                " FROM platform.webhook_deliveries AS d JOIN platform.requests AS r USING (request_id)"
            ).fetchone()
        assert found is not None
        return found


@pytest.fixture
def owed(database: Database, source_root: Path) -> Iterator[Owed]:
    with database.connect("ddh") as client:
        submitted = client.execute(
            "SELECT request_id FROM platform.submit_request('d', 'r', 'v', %s, callback_url => 'https://hub.invalid/hook')",
            (f"{source_root}/roads.gpkg",),
        ).fetchone()
        assert submitted is not None
        client.execute("SELECT platform.cancel_request(%s, 'not wanted')", submitted)
    with database.connect() as connection:
        connection.execute("UPDATE app.job_stages SET backoff_seconds = 0, max_attempts = 4 WHERE task_type = 'webhook_deliver'")
        yield Owed(connection, submitted[0])


@pytest.fixture
def hub() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


def deliver(workers: StartWorkers) -> str:
    started = workers("--processes", "1", "--until-idle", "--task-types", "webhook_deliver", environment=ENVIRONMENT)
    assert started.wait() == 0
    return started.output


def secret(generation: int = 1) -> bytes:
    """As the administrator gets it."""
    command = [sys.executable, "-m", "workers.webhook_secret", CLIENT, "--generation", str(generation)]
    shown = subprocess.run(command, cwd=CHECKOUT, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout
    return base64.b64decode(shown.strip().removeprefix("whsec_"))


def signed_by(key: bytes, headers: dict[str, str], body: bytes) -> bool:
    """What a receiver checks, in its own words."""
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    standard = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    plain = "sha256=" + hmac.new(key, headers["x-platform-timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return standard in headers["webhook-signature"].split() and plain in headers["x-platform-signature"].split()


def test_a_client_is_told_and_can_be_sure_who_told_it(owed: Owed, hub: Receiver, workers: StartWorkers) -> None:
    owed.to(hub.url("/ok"))
    output = deliver(workers)
    (call,) = hub.calls
    assert json.loads(call.body) == owed.row()["payload"]
    assert json.loads(call.body)["request_id"] == owed.request_id
    assert signed_by(secret(), call.headers, call.body)
    assert not signed_by(secret(2), call.headers, call.body)
    row = owed.row()
    assert (row["status"], row["attempts"], row["callback_status"]) == ("sent", 1, "sent")
    assert row["completed_at"] is not None
    assert ENVIRONMENT["GEOMILL_WEBHOOK_KEY"] not in output


def test_a_failing_receiver_is_tried_again_with_the_same_id(owed: Owed, hub: Receiver, workers: StartWorkers) -> None:
    owed.to(hub.url("/flaky"))
    deliver(workers)
    assert len(hub.calls) == 3
    assert len({call.headers["webhook-id"] for call in hub.calls}) == 1
    assert (owed.row()["status"], owed.row()["attempts"]) == ("sent", 3)


def test_a_redirect_is_dead_in_the_end_and_sent_when_asked_for(
    owed: Owed, hub: Receiver, workers: StartWorkers, database: Database
) -> None:
    owed.to(hub.url("/moved"))
    deliver(workers)
    row = owed.row()
    assert (row["status"], row["attempts"], row["callback_status"]) == ("dead", 4, "dead")
    assert row["last_error"] == "the receiver answered 307: redirects are not followed"
    assert {call.path for call in hub.calls} == {"/moved"}

    owed.to(hub.url("/ok"))
    with database.connect("admin") as admin:
        assert admin.execute("SELECT delivery_id FROM platform.list_deliveries('dead')").fetchall() == [(row["delivery_id"],)]
        admin.execute("SELECT platform.redeliver_webhook(%s)", (row["delivery_id"],))
    deliver(workers)
    assert (owed.row()["status"], owed.row()["callback_status"]) == ("sent", "sent")


def test_both_secrets_sign_while_they_overlap(owed: Owed, hub: Receiver, workers: StartWorkers, database: Database) -> None:
    with database.connect("admin") as admin:
        assert admin.execute("SELECT platform.rotate_webhook_secret(%s)", (CLIENT,)).fetchone() == (2,)
    owed.to(hub.url("/ok"))
    deliver(workers)
    (call,) = hub.calls
    assert signed_by(secret(1), call.headers, call.body)
    assert signed_by(secret(2), call.headers, call.body)


def test_a_secret_of_the_clients_own_signs_and_is_not_in_the_database(
    owed: Owed, hub: Receiver, workers: StartWorkers, database: Database
) -> None:
    own = "whsec_" + base64.b64encode(b"a secret of the hub's, as it likes it").decode()
    command = [sys.executable, "-m", "workers.webhook_secret", CLIENT, "--seal"]
    sealed = subprocess.run(command, cwd=CHECKOUT, env=ENVIRONMENT, check=True, capture_output=True, text=True, input=own).stdout.strip()
    with database.connect("admin") as admin:
        with pytest.raises(psycopg.Error, match="no sealed secret") as refusal:
            admin.execute("SELECT platform.set_webhook_secret(%s, %s)", (CLIENT, own))
        assert own not in str(refusal.value)
        assert admin.execute("SELECT platform.set_webhook_secret(%s, %s)", (CLIENT, sealed)).fetchone() == (2,)
    owed.to(hub.url("/ok"))
    output = deliver(workers)
    (call,) = hub.calls
    assert Webhook(own).verify(call.body, call.headers) == owed.row()["payload"]
    assert signed_by(secret(1), call.headers, call.body), "the one before signs as well, for a day"
    assert own not in output
    kept = owed.connection.execute("SELECT string_agg(s::text, '') FROM platform.webhook_secrets AS s").fetchone()
    assert kept is not None
    assert own.removeprefix("whsec_")[:20] not in kept[0]


@pytest.mark.slow  # the circuit itself: tests/pgtap/platform/try_endpoint
def test_while_an_endpoint_rests_nobody_waits_for_it(owed: Owed, hub: Receiver, workers: StartWorkers, database: Database) -> None:
    owed.to(hub.url("/moved"))
    owed.connection.execute("UPDATE app.job_stages SET max_attempts = 7 WHERE task_type = 'webhook_deliver'")
    deliver(workers)
    row = owed.row()
    assert (row["status"], row["attempts"], len(hub.calls)) == ("dead", 5, 5), "two of seven attempts made no call"
    resting = "SELECT failures, rests_until > clock_timestamp() FROM platform.webhook_endpoints"
    assert owed.connection.execute(resting).fetchone() == (5, True)
    owed.to(hub.url("/ok"))
    with database.connect("admin") as admin:
        admin.execute("SELECT platform.redeliver_webhook(%s)", (row["delivery_id"],))
    deliver(workers)
    assert owed.row()["status"] == "sent"
    assert owed.connection.execute("SELECT failures, rests_until FROM platform.webhook_endpoints").fetchone() == (0, None)


def test_an_address_inside_is_dead_at_once(owed: Owed, workers: StartWorkers) -> None:
    owed.to("https://169.254.169.254/latest/meta-data")
    deliver(workers)
    row = owed.row()
    assert (row["status"], row["attempts"]) == ("dead", 1)
    assert "not public" in row["last_error"]


def test_the_end_of_a_job_that_is_being_superseded_moves_nothing(owed: Owed, database: Database) -> None:
    engine = owed.connection
    claimed = engine.execute("SELECT task_id, attempt FROM app.claim_tasks('w', '{webhook_deliver}', 1)").fetchone()
    assert claimed is not None
    engine.execute("SELECT platform.begin_delivery(%s, %s)", claimed)
    waiting = "SELECT FROM unnest(pg_blocking_pids(%s))"
    with database.connect("admin", autocommit=False) as admin, database.connect("worker") as worker:
        admin.execute("SELECT platform.redeliver_webhook(%s)", (owed.row()["delivery_id"],))
        complete = "SELECT app.complete_task_and_check_stage(%s, %s, '{}')"
        late = threading.Thread(target=worker.execute, args=(complete, claimed))
        late.start()
        wait_for(lambda: engine.execute(waiting, (worker.info.backend_pid,)).fetchall(), message="the completion does not wait")
        admin.commit()
        late.join(120)
        assert not late.is_alive()
    assert owed.row()["status"] == "pending"
    assert engine.execute("SELECT count(*) FROM app.jobs WHERE job_type = 'deliver_webhook' AND status = 'pending'").fetchone() == (1,)
