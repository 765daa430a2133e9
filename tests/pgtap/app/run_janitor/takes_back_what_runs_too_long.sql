BEGIN;
SELECT plan(3);
SELECT tests.given_workflow('slow', '[{"fan_out": "count", "path": "$.n", "max_runtime_seconds": 3600}]');
SELECT tests.given_job('slow', '{"n": 1}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT tests.move_clock(interval '59 minutes');
SELECT app.heartbeat('w1'), app.run_janitor();
SELECT is(tests.task_status(:task_id), 'processing', 'a healthy long task is left alone');
SELECT tests.move_clock(interval '2 minutes');
SELECT app.heartbeat('w1'), app.run_janitor();
SELECT is((SELECT reason FROM app.heartbeat('w1')), 'lost', 'beyond its time it is taken back, though the heart beats');
SELECT is((SELECT error ->> 'code' FROM app.task_errors), 'TASK_TIMEOUT');
SELECT * FROM finish();
ROLLBACK;
