"""What must be true of the engine's tables, whatever died and when: each invariant is one query that returns violations.

A query is one snapshot, so `always` holds for every reader at every moment, also while all is in motion; `at the end`
holds when workers have found nothing left to claim. The log of statuses that some read is made by setup.sql.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, LiteralString

import psycopg

When = Literal["always", "at the end"]


@dataclass(frozen=True)
class Invariant:
    """One promise, and the query for what breaks it."""

    name: str
    when: When
    violations: LiteralString


INVARIANTS = (
    Invariant(
        "an open job is in its one open stage",
        "always",
        """
        SELECT j.job_id, j.status, j.stage, count(s.stage_id) AS open_stages, max(s.stage) AS open_stage
          FROM app.jobs AS j LEFT JOIN app.stages AS s ON s.job_id = j.job_id AND s.status IN ('pending', 'processing')
         WHERE j.status IN ('pending', 'processing')
         GROUP BY j.job_id HAVING count(s.stage_id) <> 1 OR max(s.stage) <> j.stage
        """,
    ),
    Invariant(
        "an open stage has an open task",
        "always",
        """
        SELECT s.* FROM app.stages AS s
         WHERE s.status IN ('pending', 'processing') AND NOT EXISTS (
               SELECT FROM app.tasks AS t
                WHERE t.task_id BETWEEN s.stage_id << 24 AND s.last_task_id AND t.status IN ('pending', 'processing'))
        """,
    ),
    Invariant(
        "what has finished has nothing open",
        "always",
        """
        SELECT j.job_id, j.status AS job_status, s.stage, s.status AS stage_status, t.task_id, t.status AS task_status
          FROM app.jobs AS j JOIN app.stages AS s USING (job_id)
          LEFT JOIN app.tasks AS t ON t.task_id BETWEEN s.stage_id << 24 AND s.last_task_id AND t.status IN ('pending', 'processing')
         WHERE (s.status NOT IN ('pending', 'processing') AND t.task_id IS NOT NULL)
            OR (j.status NOT IN ('pending', 'processing') AND s.status IN ('pending', 'processing'))
        """,
    ),
    Invariant(
        "a stage has the tasks it says",
        "always",
        """
        SELECT s.stage_id, s.tasks, s.last_task_id, n.tasks AS there
          FROM app.stages AS s
         CROSS JOIN LATERAL (SELECT count(*) AS tasks, max(t.task_id) AS last FROM app.tasks AS t
                              WHERE t.task_id BETWEEN s.stage_id << 24 AND (s.stage_id << 24) + 16777215) AS n
         WHERE n.tasks <> s.tasks OR n.last IS DISTINCT FROM s.last_task_id
        """,
    ),
    Invariant(
        "a task's stage and index are those of its key",
        "always",
        """
        SELECT t.task_id, t.stage_id, t.task_index FROM app.tasks AS t
         WHERE t.stage_id <> t.task_id >> 24 OR t.task_index <> t.task_id & 16777215
        """,
    ),
    Invariant(
        "a fresh task can be found by a claim, now or when its time comes",
        "always",
        """
        SELECT t.task_id, t.task_type, r.*, p.* FROM app.tasks AS t
          LEFT JOIN app.ready_stages AS r ON r.stage_id = t.stage_id
          LEFT JOIN app.parked_stages AS p ON p.stage_id = t.stage_id
         WHERE t.status = 'pending' AND t.run_at IS NULL AND NOT CASE
                   WHEN r.stage_id IS NOT NULL THEN t.task_id > r.low AND t.task_id <= r.high AND t.task_type = r.task_type
                        AND p.stage_id IS NULL
                   WHEN p.stage_id IS NOT NULL THEN t.task_id > p.low AND t.task_id <= p.high AND t.task_type = p.task_type
                        AND (isfinite(p.run_at) IS TRUE OR EXISTS (SELECT FROM app.paused_clients AS c WHERE c.client_id = p.client_id))
                   ELSE false
               END
        """,
    ),
    Invariant(
        "a waiting task waits for a time that will come, or for a slot, in a line that it will be found in",
        "always",
        """
        SELECT t.*, s.caps FROM app.tasks AS t JOIN app.stages AS s USING (stage_id)
         WHERE t.status = 'pending' AND NOT coalesce(isfinite(t.run_at), true) AND NOT (
               s.caps IS NOT NULL AND EXISTS (
                   SELECT FROM (SELECT stage_id, low, high FROM app.capped_stages UNION ALL
                                SELECT stage_id, low, high FROM app.parked_stages) AS c
                    WHERE c.stage_id = t.stage_id AND t.task_id > c.low AND t.task_id <= c.high))
        """,
    ),
    Invariant(
        "what can be claimed or runs under caps has a slot of each, and what has ended has none",
        "always",
        """
        SELECT t.task_id, t.status, c.cap_id, count(l.slot_id) AS slots
          FROM app.stages AS s CROSS JOIN unnest(s.caps) AS c (cap_id)
          JOIN app.tasks AS t ON t.task_id BETWEEN s.stage_id << 24 AND s.last_task_id
          LEFT JOIN app.slots AS l ON l.task_id = t.task_id AND l.cap_id = c.cap_id
         GROUP BY t.task_id, t.status, t.run_at, c.cap_id
        HAVING count(l.slot_id) <> CASE WHEN t.status = 'processing' OR (t.status = 'pending' AND t.run_at < 'infinity') THEN 1 ELSE 0 END
        """,
    ),
    Invariant(
        "no more tasks run under a cap than it has slots",
        "always",
        """
        SELECT c.*, n.running FROM app.caps AS c
         CROSS JOIN LATERAL (SELECT count(*) AS running FROM app.tasks AS t JOIN app.stages AS s USING (stage_id)
                              WHERE t.status = 'processing' AND c.cap_id = ANY (s.caps)) AS n
         WHERE n.running > c.slots
        """,
    ),
    Invariant(
        "a running task is held by a worker that works, or that the janitor will find",
        "always",
        """
        SELECT t.task_id, t.attempt, w.worker_id, w.status, w.holding, w.holding_attempts
          FROM app.tasks AS t LEFT JOIN app.workers AS w USING (worker_key)
         WHERE t.status = 'processing' AND NOT coalesce(w.status IN ('alive', 'dead') AND EXISTS (
               SELECT FROM unnest(w.holding, w.holding_attempts) AS h (task_id, attempt)
                WHERE h.task_id = t.task_id AND h.attempt = t.attempt), false)
        """,
    ),
    Invariant(
        "nobody holds what another holds, nor an attempt that never was",
        "always",
        """
        SELECT h.task_id, h.attempt, count(*) AS holders, max(t.attempt) AS last_attempt
          FROM app.workers AS w CROSS JOIN unnest(w.holding, w.holding_attempts) AS h (task_id, attempt)
          LEFT JOIN app.tasks AS t ON t.task_id = h.task_id
         GROUP BY h.task_id, h.attempt HAVING count(*) > 1 OR h.attempt IS NULL OR h.task_id IS NULL OR h.attempt > max(t.attempt)
        """,
    ),
    Invariant(
        "an armed stage counts its open tasks, an unarmed one waits for its last",
        "always",
        """
        SELECT s.stage_id, s.status, s.armed, s.remaining, n.open_tasks, n.last_is_open
          FROM app.stages AS s
         CROSS JOIN LATERAL (SELECT count(*) AS open_tasks, coalesce(bool_or(t.task_id = s.last_task_id), false) AS last_is_open
                               FROM app.tasks AS t
                              WHERE t.task_id BETWEEN s.stage_id << 24 AND s.last_task_id AND t.status IN ('pending', 'processing')) AS n
         WHERE CASE WHEN s.armed THEN s.remaining IS DISTINCT FROM n.open_tasks
                    ELSE s.remaining IS NOT NULL OR NOT n.last_is_open OR s.status NOT IN ('pending', 'processing') END
        """,
    ),
    Invariant(
        "what is ready or parked is an open stage, with its own range",
        "always",
        """
        SELECT r.*, s.status, s.last_task_id
          FROM (SELECT stage_id, task_type, low, high FROM app.ready_stages UNION ALL
                SELECT stage_id, task_type, low, high FROM app.parked_stages) AS r
          LEFT JOIN app.stages AS s USING (stage_id)
         WHERE s.stage_id IS NULL OR s.status NOT IN ('pending', 'processing') OR r.high <> s.last_task_id OR r.low < (s.stage_id << 24) - 1
            OR r.task_type <> s.task_type
        """,
    ),
    Invariant(
        "a stage ends once, and once more for each time it was reopened",
        "always",
        """
        SELECT s.stage_id, s.status, n.*
          FROM app.stages AS s
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE e.new NOT IN ('pending', 'processing')) AS ends,
                      count(*) FILTER (WHERE e.old NOT IN ('pending', 'processing') AND e.new = 'processing') AS reopened
                 FROM tests.events AS e WHERE e.kind = 'stage' AND e.id = s.stage_id::text) AS n
         WHERE n.ends <> n.reopened + (s.status NOT IN ('pending', 'processing'))::integer
        """,
    ),
    Invariant(
        "a job ends once, and once more for each time it was reopened",
        "always",
        """
        SELECT j.job_id, j.status, n.*
          FROM app.jobs AS j
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE e.new NOT IN ('pending', 'processing')) AS ends,
                      count(*) FILTER (WHERE e.old NOT IN ('pending', 'processing') AND e.new = 'processing') AS reopened
                 FROM tests.events AS e WHERE e.kind = 'job' AND e.id = j.job_id) AS n
         WHERE n.ends <> n.reopened + (j.status NOT IN ('pending', 'processing'))::integer
        """,
    ),
    Invariant(
        "a stage ends in the transaction in which its last task ends",
        "always",
        """
        SELECT e.* FROM tests.events AS e JOIN app.stages AS s ON e.id = s.stage_id::text
         WHERE e.kind = 'stage' AND e.new NOT IN ('pending', 'processing') AND s.tasks > 0 AND NOT EXISTS (
               SELECT FROM tests.events AS t
                WHERE t.xid = e.xid AND t.kind = 'task' AND t.stage_id = s.stage_id AND t.new NOT IN ('pending', 'processing'))
        """,
    ),
    Invariant(
        "a stage is made in the transaction in which the one before it ends",
        "always",
        """
        SELECT s.stage_id, s.job_id, s.stage FROM app.stages AS s
          JOIN app.stages AS b ON b.job_id = s.job_id AND b.stage = s.stage - 1
         WHERE NOT EXISTS (
               SELECT FROM tests.events AS made JOIN tests.events AS ended ON ended.xid = made.xid
                WHERE made.kind = 'stage' AND made.id = s.stage_id::text AND made.old IS NULL
                  AND ended.kind = 'stage' AND ended.id = b.stage_id::text AND ended.new IN ('completed', 'completed_with_errors'))
        """,
    ),
    Invariant(
        "every attempt is a claim, and every claim ends in one way or is still running",
        "always",
        """
        SELECT t.task_id, t.status, t.attempt, t.forgiven, n.*, r.errors
          FROM app.tasks AS t
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE e.new = 'processing') AS claims,
                      count(DISTINCT e.attempt) FILTER (WHERE e.new = 'processing') AS attempts,
                      count(*) FILTER (WHERE e.new = 'completed') AS completed,
                      count(*) FILTER (WHERE e.old = 'processing' AND e.new = 'cancelled') AS cancelled,
                      count(*) FILTER (WHERE e.old = 'processing' AND e.new = 'pending' AND e.forgiven = 1) AS released,
                      count(*) FILTER (WHERE e.old = 'processing'
                                         AND (e.new = 'failed' OR (e.new = 'pending' AND e.forgiven = 0))) AS gave_up
                 FROM tests.events AS e WHERE e.kind = 'task' AND e.id = t.task_id::text) AS n
         CROSS JOIN LATERAL (SELECT count(*) AS errors FROM app.task_errors AS e
                              WHERE e.task_id = t.task_id AND e.attempt <= t.attempt) AS r
         WHERE t.attempt <> n.claims OR n.claims <> n.attempts OR r.errors <> n.gave_up
            OR n.completed <> (t.status = 'completed')::integer
            OR n.claims <> n.completed + n.cancelled + n.released + n.gave_up + (t.status = 'processing')::integer
        """,
    ),
    Invariant(
        "no task has more attempts than it may",
        "always",
        """
        SELECT t.task_id, t.attempt, t.forgiven, d.max_attempts
          FROM app.tasks AS t JOIN app.stages AS s USING (stage_id) JOIN app.jobs AS j USING (job_id)
          JOIN app.job_stages AS d ON d.job_type = j.job_type AND d.version = j.job_type_version AND d.stage = s.stage
         WHERE t.attempt - t.forgiven > d.max_attempts OR t.forgiven > t.attempt
        """,
    ),
    Invariant(
        "no attempt begins before its time",
        "always",
        "SELECT e.* FROM tests.events AS e WHERE e.kind = 'task' AND e.new = 'processing' AND e.at < e.due",
    ),
    Invariant(
        "a stage that ended says how its tasks went",
        "always",
        """
        SELECT s.stage_id, s.status, s.completed_tasks, s.failed_tasks, n.*
          FROM app.stages AS s
         CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE t.status = 'completed') AS completed,
                                    count(*) FILTER (WHERE t.status = 'failed') AS failed
                               FROM app.tasks AS t WHERE t.task_id BETWEEN s.stage_id << 24 AND s.last_task_id) AS n
         WHERE s.status NOT IN ('pending', 'processing')
           AND ((s.completed_tasks, s.failed_tasks) IS DISTINCT FROM (n.completed, n.failed)
                OR (s.status = 'completed' AND n.completed <> s.tasks)
                OR (s.status = 'completed_with_errors' AND (n.completed = 0 OR n.failed = 0 OR n.completed + n.failed <> s.tasks)))
        """,
    ),
    Invariant(
        "a job that ended says how its stages went",
        "always",
        """
        SELECT j.job_id, j.status, n.*
          FROM app.jobs AS j
         CROSS JOIN LATERAL (SELECT array_agg(s.status::text ORDER BY s.stage) AS stages
                               FROM app.stages AS s WHERE s.job_id = j.job_id) AS n
         WHERE CASE j.status
                   WHEN 'completed' THEN n.stages <> array_fill('completed'::text, ARRAY[j.total_stages])
                   WHEN 'completed_with_errors' THEN NOT 'completed_with_errors' = ANY (n.stages) OR cardinality(n.stages) <> j.total_stages
                        OR n.stages && ARRAY['failed', 'cancelled']
                   WHEN 'cancelled' THEN NOT 'cancelled' = ANY (n.stages)
                   ELSE false
               END
        """,
    ),
    Invariant(
        "an effect is there once, and its attempt completed",
        "always",
        """
        SELECT e.task_id, count(*), array_agg(e.attempt) AS attempts, max(t.status) AS status, max(t.attempt) AS attempt
          FROM tests.effects AS e LEFT JOIN app.tasks AS t USING (task_id)
         GROUP BY e.task_id HAVING count(*) > 1 OR bool_or((e.attempt, t.status) IS DISTINCT FROM (t.attempt, 'completed'))
        """,
    ),
    Invariant(
        "only a completed task has a result",
        "always",
        """
        SELECT r.task_id, t.status FROM app.task_results AS r LEFT JOIN app.tasks AS t USING (task_id)
         WHERE t.status IS DISTINCT FROM 'completed'
        """,
    ),
    Invariant(
        "a request is where its jobs are",
        "always",
        """
        SELECT r.request_id, r.revision, r.status, n.*
          FROM platform.requests AS r
         CROSS JOIN LATERAL (
               SELECT array_agg(j.status::text ORDER BY s.sequence) AS jobs, count(*) AS wanted,
                      count(*) FILTER (WHERE j.status IN ('pending', 'processing')) AS open_jobs
                 FROM platform.request_jobs AS s LEFT JOIN app.jobs AS j USING (job_id)
                WHERE s.request_id = r.request_id AND s.revision = r.revision) AS n
         WHERE n.wanted > 0 AND CASE
                   WHEN r.status IN ('pending', 'processing') THEN n.open_jobs <> 1
                   WHEN r.status = 'completed' THEN n.jobs <> array_fill('completed'::text, ARRAY[n.wanted::integer])
                   WHEN r.status = 'completed_with_errors' THEN NOT 'completed_with_errors' = ANY (n.jobs) OR n.open_jobs > 0
                   WHEN r.status IN ('failed', 'cancelled') THEN n.open_jobs > 0 OR NOT r.status::text = ANY (n.jobs)
                   ELSE false
               END
        """,
    ),
    Invariant(
        "a call is owed for the end of a request that asked for one",
        "always",
        """
        SELECT r.request_id, r.status FROM platform.requests AS r
         WHERE r.callback_url IS NOT NULL AND r.status NOT IN ('pending', 'processing')
           AND (SELECT count(*) FROM platform.webhook_deliveries AS d WHERE d.request_id = r.request_id AND d.revision = r.revision) <> 1
        """,
    ),
    Invariant(
        "everything has ended",
        "at the end",
        "SELECT j.job_id, j.job_type, j.status, app.why(j.job_id) FROM app.jobs AS j WHERE j.status IN ('pending', 'processing')",
    ),
    Invariant(
        "nothing is ready, nothing is parked, nothing waits for a slot",
        "at the end",
        """
        SELECT stage_id FROM app.ready_stages UNION ALL SELECT stage_id FROM app.parked_stages UNION ALL
        SELECT stage_id FROM app.capped_stages
        """,
    ),
    Invariant(
        "every held task that completed has had its effect",
        "at the end",
        """
        SELECT t.task_id, t.attempt FROM app.tasks AS t
         WHERE t.task_type = 'held' AND t.status = 'completed' AND NOT EXISTS (SELECT FROM tests.effects AS e WHERE e.task_id = t.task_id)
        """,
    ),
)


def violations(connection: psycopg.Connection[Any], when: When = "always", *, but: Collection[str] = ()) -> list[str]:
    """What is broken now, a line for each, with the first offenders. `at the end` includes what holds always."""
    unknown = set(but) - {invariant.name for invariant in INVARIANTS}
    assert not unknown, f"no such invariants: {unknown}"
    asked = [one for one in INVARIANTS if one.name not in but and (one.when == "always" or when == "at the end")]
    # One round trip: some tests ask hundreds of times.
    with connection.pipeline():
        answers = [connection.execute(invariant.violations) for invariant in asked]
    return [f"{invariant.name}: {row}" for invariant, answer in zip(asked, answers, strict=True) for row in answer.fetchmany(3)]


def check(connection: psycopg.Connection[Any], when: When = "always", *, but: Collection[str] = (), after: str = "") -> None:
    """Fail with what is broken, and after what."""
    broken = violations(connection, when, but=but)
    assert not broken, "\n".join([f"after {after}:" if after else "broken:", *broken])
