BEGIN;
SELECT plan(2);
SELECT tests.given_job('hello_world', '{"n": 1}') AS job \gset
SET LOCAL ROLE geomill_worker;
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.hold_task(:task_id, :attempt);
SELECT task_updated FROM app.complete_task_and_check_stage(:task_id, :attempt, '{}') \gset
RESET ROLE;
SELECT ok(:'task_updated', 'with nothing but its role, a worker claims, holds and completes');
SELECT throws_ok('SET LOCAL ROLE geomill_worker; SELECT * FROM app.tasks', '42501', NULL, 'and reads no table of app');
SELECT * FROM finish();
ROLLBACK;
