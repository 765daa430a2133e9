"""webhook_deliver: tells a client that its request has ended. At least once; a message id tells repetitions.

No transaction is open while the receiver takes its time. The completion marks the delivery sent, in its own transaction
(platform.delivery_ended), and its endpoint as one that works; a failed call is noted before the attempt is given up, and the
stage's policy says when the next is. An endpoint that keeps failing is not called for a while (platform.try_endpoint).
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg.rows import dict_row

from codegen.messages.webhook import DeliverParameters
from workers.connections import short_connection
from workers.context import CONFLICT, Task
from workers.errors import ConfigurationError, TaskCancelled, TaskError
from workers.registry import handles
from workers.webhook_call import post
from workers.webhook_seal import missing_key
from workers.webhook_secret import signing_secret
from workers.webhook_signature import signed_headers
from workers.webhook_target import find_target


@handles("webhook_deliver", DeliverParameters, missing=missing_key)
def deliver(task: Task[DeliverParameters]) -> dict[str, Any]:
    """Make the call that is owed; nothing where another job has taken it over."""
    call = _ask(task, "SELECT callback_url, message_id, body, client_id, secrets, rests_until FROM platform.begin_delivery_v2(%s, %s)")
    if call is None:
        return {"superseded": True}
    if call["rests_until"] is not None:
        raise TaskError(
            "WEBHOOK_ENDPOINT_RESTS",
            f"calls to the receiver keep failing: it is not called before {call['rests_until'].isoformat(timespec='seconds')}",
            category="user",
            remediation="Mend the receiver; platform.redeliver_webhook tries it at once",
            retryable=True,
        )
    body = call["body"].encode()
    try:
        secrets = [signing_secret(call["client_id"], kept) for kept in call["secrets"]]
    except ConfigurationError as error:
        raise TaskError(
            "WEBHOOK_SECRET_SEALED",
            str(error),
            category="system",
            remediation="Start this worker with the key that sealed it",
            retryable=True,
        ) from error
    try:
        target = find_target(call["callback_url"])
        # The time of this attempt: a receiver refuses what is old.
        status = post(target, body, signed_headers(secrets, call["message_id"], int(time.time()), body))
    except TaskError as error:
        _ask(task, "SELECT platform.record_failed_call(%s, %s, %s)", str(error))
        raise
    return {"message_id": call["message_id"], "http_status": status}


def _ask(task: Task[DeliverParameters], statement: str, *values: object) -> dict[str, Any] | None:
    """The row of a function that takes the attempt; TaskCancelled where it is not the current one."""
    try:
        with short_connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement.encode(), (task.claimed.task_id, task.claimed.attempt, *values)).fetchone()
    except psycopg.Error as error:
        if error.sqlstate == CONFLICT:
            raise TaskCancelled("lost") from error
        raise
