BEGIN;
SELECT plan(5);
SELECT tests.given_job('hello_world', '{"n": 3}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 2);
SELECT is((SELECT will_retry FROM got, app.fail_task(task_id, attempt, tests.error(false)) WHERE task_index = 0), false);
SELECT is(tests.job_status(:'job'), 'failed', 'fail_job: the job ends at once');
SELECT is(tests.open_tasks(:'job'), 0::bigint, 'its open tasks are cancelled');
SELECT is((SELECT error_details ->> 'code' FROM app.jobs), 'TEST_FAILURE', 'with the reason');
SELECT is((SELECT reason FROM app.heartbeat('w1')), 'cancelled', 'and the handler of the other task learns it');
SELECT * FROM finish();
ROLLBACK;
