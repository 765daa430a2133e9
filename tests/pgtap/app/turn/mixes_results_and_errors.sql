BEGIN;
SELECT plan(4);
SELECT tests.given_workflow('tolerant', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue"}]');
SELECT tests.given_job('tolerant', '{"n": 3}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.turn('w1', '[]', NULL, 3);
SELECT app.turn('w1', (SELECT jsonb_agg(CASE task_index
           WHEN 0 THEN jsonb_build_object('task_id', task_id, 'attempt', attempt, 'result_data', '{}'::jsonb)
           WHEN 1 THEN jsonb_build_object('task_id', task_id, 'attempt', attempt, 'error', tests.error())
           ELSE jsonb_build_object('task_id', task_id, 'attempt', attempt, 'error', tests.error(true)) END) FROM got), NULL, 0);
SELECT is((SELECT array_agg(status::text ORDER BY task_index) FROM app.tasks), '{completed,failed,pending}');
SELECT is(tests.job_status(:'job'), 'processing');
SELECT tests.move_clock(interval '1 hour');
SELECT is(tests.work('w2'), 1, 'the retry is the only one left');
SELECT is(tests.job_status(:'job'), 'completed_with_errors');
SELECT * FROM finish();
ROLLBACK;
