BEGIN;
SELECT plan(3);
SELECT tests.given_workflow('hopeless', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue"}, {}]');
SELECT tests.given_job('hopeless', '{"n": 3}') AS job \gset
SELECT app.fail_task(task_id, attempt, tests.error()) FROM app.claim_tasks('w1', NULL, 3);
SELECT is(tests.stage_status(:'job', 1), 'failed');
SELECT is(tests.job_status(:'job'), 'failed');
SELECT is(tests.stage_tasks(:'job', 2), 0::bigint, 'and no later stage exists');
SELECT * FROM finish();
ROLLBACK;
