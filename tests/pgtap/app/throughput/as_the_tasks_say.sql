BEGIN;
SELECT plan(6);
SELECT tests.given_workflow('a', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "max_attempts": 2, "backoff_seconds": 0}]');
SELECT tests.given_job('a', '{"n": 100}') AS job \gset
SELECT app.fail_task(task_id, attempt, tests.error(true)) FROM app.claim_tasks('w1', NULL, 10);
WITH claimed AS MATERIALIZED (SELECT * FROM app.turn('w1', '[]', NULL, 100))
SELECT FROM app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)
                                             || CASE WHEN attempt = 2 AND task_index < 4 THEN jsonb_build_object('error', tests.error()) ELSE '{}' END) FROM claimed), NULL, 0);
-- Run times of 1 to 100 seconds; 100 tasks end within two minutes and a half, whenever this test runs.
UPDATE app.tasks SET started_at = completed_at - (task_index + 1) * interval '1 second';
SELECT is_empty('SELECT * FROM app.throughput()', 'nothing is counted yet');
SELECT tests.move_clock(interval '15 seconds');
SELECT app.run_janitor();
SELECT is((SELECT (task_type, completed, failed, retried)::text FROM app.throughput()), '(work,96,4,10)');
SELECT is((SELECT per_minute FROM app.throughput('10 minutes')), 10.00, 'a hundred in ten minutes');
SELECT is((SELECT (run_avg, run_max)::text FROM app.throughput()), '(00:00:50.5,00:01:40)');
SELECT ok((SELECT run_p50 BETWEEN interval '40 seconds' AND interval '60 seconds' AND run_p95 BETWEEN interval '60 seconds' AND interval '100 seconds' FROM app.throughput()), 'quantiles are in their buckets');
SELECT tests.move_clock(interval '1 hour');
SELECT app.run_janitor();
SELECT is_empty('SELECT * FROM app.throughput()', 'an hour ago is not now');
SELECT * FROM finish();
ROLLBACK;
