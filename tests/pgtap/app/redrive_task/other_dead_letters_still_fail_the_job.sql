BEGIN;
SELECT plan(5);
SELECT tests.given_workflow('w', '[{"fan_out": "count", "path": "$.n"}, {}]');
SELECT tests.given_job('w', '{"n": 2}') AS job \gset
SELECT array_agg(task_id ORDER BY task_id) AS tasks FROM app.claim_tasks('w1', NULL, 2) \gset
SELECT jsonb_agg(jsonb_build_object('task_id', t, 'attempt', 1, 'error', tests.error())) AS failures FROM unnest(:'tasks'::bigint[]) AS t \gset
SELECT * FROM app.turn('w1', :'failures');
SELECT is((SELECT count(*) FROM app.tasks WHERE status = 'failed'), 2::bigint, 'two dead letters');

SELECT app.redrive_task((:'tasks'::bigint[])[1]);
SELECT is(tests.work(), 1, 'one lives again');
SELECT is(tests.job_status(:'job'), 'failed', 'under fail_job, one dead letter is one too many');
SELECT app.redrive_task((:'tasks'::bigint[])[2]);
SELECT is(tests.work(), 2);
SELECT is(tests.job_status(:'job'), 'completed');
SELECT * FROM finish();
ROLLBACK;
