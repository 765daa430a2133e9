BEGIN;
SELECT plan(6);
SELECT tests.given_job('hello_world', '{"n": 4}') AS job \gset
SELECT tests.work('w1', 2);
SELECT app.fail_task(task_id, attempt, tests.error()) FROM app.claim_tasks('w1', NULL, 1);
SELECT is(tests.job_status(:'job'), 'failed');
SELECT is(app.retry_job(:'job'), 2, 'the failed one and the one that was cancelled with it');
SELECT is(tests.job_status(:'job'), 'processing');
SELECT is(tests.work('w2', 2), 2);
SELECT is(tests.stage_tasks(:'job', 2), 4::bigint, 'all four count');
SELECT tests.work();
SELECT throws_ok(format('SELECT app.retry_job(%L)', :'job'), 'GM409');
SELECT * FROM finish();
ROLLBACK;
