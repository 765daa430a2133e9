-- What is going on: `make status`. Reads rows only, takes no lock that anybody waits for.
\set ON_ERROR_STOP on
\pset footer off
\pset null '-'
\pset linestyle unicode

\echo 'Requests'
SELECT r.status, count(*) AS requests, max(r.updated_at)::timestamptz(0) AS last_change
FROM platform.requests AS r
GROUP BY r.status
ORDER BY r.status;

\echo 'Open requests, oldest first'
SELECT r.request_id, r.client_id, r.request_type AS type, r.dataset_id || '/' || r.resource_id || '/' || r.version_id AS resource,
       r.revision, r.status, r.progress_percent AS percent, left(r.status_message, 60) AS message,
       (app.clock() - r.created_at)::interval(0) AS age
FROM platform.requests AS r
WHERE r.status IN ('pending', 'processing')
ORDER BY r.created_at
LIMIT 20;

\echo 'Jobs'
SELECT j.status, count(*) AS jobs, max(j.updated_at)::timestamptz(0) AS last_change
FROM app.jobs AS j
GROUP BY j.status
ORDER BY j.status;

\echo 'Open jobs, oldest first'
SELECT left(j.job_id, 12) AS job, j.job_type, j.stage || '/' || j.total_stages AS stage, s.name, s.task_type, s.tasks,
       s.remaining, (app.clock() - j.created_at)::interval(0) AS age
FROM app.jobs AS j
LEFT JOIN app.stages AS s ON s.job_id = j.job_id AND s.stage = j.stage
WHERE j.status IN ('pending', 'processing')
ORDER BY j.created_at
LIMIT 20;

\echo 'Jobs that failed in the last day, newest first'
SELECT left(j.job_id, 12) AS job, j.job_type, j.completed_at::timestamptz(0) AS ended, j.error_details ->> 'code' AS code,
       left(j.error_details ->> 'message', 80) AS message
FROM app.jobs AS j
WHERE j.status = 'failed' AND j.created_at > app.clock() - interval '1 day'
ORDER BY j.created_at DESC
LIMIT 10;

\echo 'Workers'
SELECT w.worker_id, w.hostname, w.process_id, cardinality(w.holding) AS holds, (app.clock() - w.last_beat)::interval(0) AS last_beat,
       (app.clock() - w.started_at)::interval(0) AS up, w.task_types
FROM app.workers AS w
WHERE w.status = 'alive'
ORDER BY w.last_beat DESC
LIMIT 50;

\echo 'Janitor, its last runs'
SELECT r.started_at::timestamptz(0) AS started, CASE WHEN r.skipped THEN 'skipped' WHEN r.error IS NULL THEN 'ok' ELSE 'failed' END AS run,
       (r.completed_at - r.started_at)::interval(3) AS took, r.workers_declared_dead AS workers_dead, r.tasks_reclaimed AS reclaimed,
       r.backends_terminated AS terminated, r.stages_repaired AS repaired, left(r.error, 60) AS error
FROM app.janitor_runs AS r
ORDER BY r.started_at DESC
LIMIT 3;
