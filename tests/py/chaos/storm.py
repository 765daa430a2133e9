"""Worker processes for a storm: each works as real ones do until it is killed, and is careless on purpose.

Half of them work by turns, half by single calls with an effect under a hold. Some reports are sent twice, some of an older
attempt; some calls are sent and the connection is cut before the answer; some attempts fail; some tasks are given back.
Nothing here is deterministic but for each process's choices; what must hold, holds in every order.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import time
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

ERROR = {"code": "TEST_FAILURE", "category": "system", "message": "as the storm wants it", "retryable": True}
STALE, TERMINATED = "GM409", "57P01"


class Worker:
    """One process; a new worker_id whenever the engine has declared the last one dead, or its connection broke."""

    def __init__(self, dsn: str, name: str, rng: random.Random) -> None:
        self.dsn, self.name, self.rng = dsn, name, rng
        self.generation = 0

    def work(self) -> None:
        while True:
            self.generation += 1
            worker_id = f"{self.name}.{self.generation}"
            try:
                with psycopg.connect(self.dsn, autocommit=True, application_name="storm") as connection:
                    (self.turns if self.rng.random() < 0.5 else self.singles)(connection, worker_id)
            except psycopg.Error as error:
                # A broken connection, or the verdict that this worker is dead: the next one starts anew.
                if error.sqlstate not in (None, STALE, TERMINATED, "57P02", "57P03", "08006", "08P01"):
                    raise
                time.sleep(0.01)

    def turns(self, connection: psycopg.Connection[Any], worker_id: str) -> None:
        finished: list[dict[str, Any]] = []
        while True:
            values = (worker_id, Jsonb(finished), ["work", "capped"], self.rng.choice([0, 1, 2, 5, 9]))
            if self.rng.random() < 0.02:
                cut(connection, "SELECT * FROM app.turn($1, $2, $3, $4)", values)
                return
            claimed = connection.execute("SELECT task_id, attempt FROM app.turn(%s, %s, %s, %s)", values).fetchall()
            sent, finished = finished, [self.report(task, attempt) for task, attempt in claimed]
            if sent and self.rng.random() < 0.05:
                finished += sent[:2]
            if finished and self.rng.random() < 0.03:
                connection.execute("SELECT app.release_tasks(%s)", (worker_id,))
            if not claimed:
                time.sleep(0.005)

    def report(self, task: int, attempt: int) -> dict[str, Any]:
        what = {"task_id": task, "attempt": attempt}
        if self.rng.random() < 0.03:
            return what | {"error": ERROR}
        return what | {"result_data": {"by": self.name}}

    def singles(self, connection: psycopg.Connection[Any], worker_id: str) -> None:
        while True:
            claimed = connection.execute("SELECT task_id, attempt, task_type FROM app.claim_tasks(%s, NULL, 1)", (worker_id,)).fetchone()
            if claimed is None:
                time.sleep(0.005)
                continue
            task, attempt, task_type = claimed
            if self.rng.random() < 0.05:
                connection.execute("SELECT * FROM app.heartbeat(%s)", (worker_id,))
            if self.rng.random() < 0.03:
                connection.execute("SELECT * FROM app.fail_task(%s, %s, %s)", (task, attempt, Jsonb(ERROR)))
                continue
            if self.under_hold(connection, task, attempt, task_type == "held") and self.rng.random() < 0.1:
                # Late, or twice: it changes nothing.
                connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, NULL)", (task, attempt - self.rng.randrange(2)))

    def under_hold(self, connection: psycopg.Connection[Any], task: int, attempt: int, has_effect: bool) -> bool:
        try:
            with connection.transaction():
                connection.execute("SELECT app.hold_task(%s, %s)", (task, attempt))
                if has_effect:
                    connection.execute("INSERT INTO tests.effects (task_id, attempt) VALUES (%s, %s)", (task, attempt))
                connection.execute("SELECT * FROM app.complete_task_and_check_stage(%s, %s, '{}')", (task, attempt))
                given_up = self.rng.random() < 0.02
                if given_up:
                    raise psycopg.Rollback
            return not given_up
        except psycopg.Rollback:
            # The connection was cut while it rolled back, which comes to the same.
            return False
        except psycopg.Error as error:
            if error.sqlstate != STALE:
                raise
            return True


def cut(connection: psycopg.Connection[Any], query: str, values: tuple[Any, ...]) -> None:
    """Send a call and hang up in the middle of it: whether it commits is not for this side to know."""
    worker_id, finished, types, most = values
    array = "{" + ",".join(types) + "}"
    parameters = [text.encode() for text in (worker_id, json.dumps(finished.obj), array, str(most))]
    connection.pgconn.send_query_params(query.encode(), parameters)
    connection.pgconn.flush()
    connection.close()


if __name__ == "__main__":
    dsn, name, seed = sys.argv[1:]
    # What psycopg says of a rollback on a connection that was cut; an error that ends this process is said all the same.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    Worker(dsn, name, random.Random(seed)).work()
