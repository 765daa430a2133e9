BEGIN;
SELECT plan(6);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT matches(app.why(:'job'), 'No living worker claims hello_greeting');
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT matches(app.why(:'job'), 'task 0 by w1 since');
SELECT app.fail_task(:task_id, :attempt, tests.error(true));
SELECT matches(app.why(:'job'), 'Next retry at');
SELECT matches(app.why(:'job'), 'Last error, attempt 1 at .*: as the test wants it \(TEST_FAILURE\)');
SELECT app.cancel_job(:'job', 'enough');
SELECT matches(app.why(:'job'), 'Because: cancelled: enough');
SELECT throws_ok($$SELECT app.why('nope')$$, 'GM404');
SELECT * FROM finish();
ROLLBACK;
