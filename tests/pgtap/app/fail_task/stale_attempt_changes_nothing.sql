BEGIN;
SELECT plan(3);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset

SELECT is((SELECT task_updated FROM app.fail_task(:task_id, :attempt - 1, tests.error())), false, 'says so');
SELECT is(tests.task_status(:task_id), 'processing', 'and the task is as it was');
SELECT is(tests.open_tasks(:'job'), 2::bigint, 'and no task of the job moved');
SELECT * FROM finish();
ROLLBACK;
