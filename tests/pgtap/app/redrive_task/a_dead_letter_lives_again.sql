BEGIN;
SELECT plan(4);
SELECT tests.given_job('hello_world', '{"n": 1}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.fail_task(:task_id, :attempt, tests.error());
SELECT ok(app.redrive_task(:task_id));
SELECT is(tests.work(), 2);
SELECT is(tests.job_status(:'job'), 'completed');
SELECT throws_ok(format('SELECT app.redrive_task(%s)', :task_id), 'GM409');
SELECT * FROM finish();
ROLLBACK;
