BEGIN;
SELECT plan(2);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT app.fail_task(task_id, attempt, tests.error(true)) FROM app.claim_tasks('w1', NULL, 1);
SELECT is((SELECT count(*) FROM app.tasks WHERE run_at IS NOT NULL), 1::bigint, 'given: a retry that waits');
SELECT app.cancel_job(:'job');
SELECT is((SELECT count(*) FROM app.tasks WHERE run_at IS NOT NULL), 0::bigint, 'the index that claims look into first is rid of it');
SELECT * FROM finish();
ROLLBACK;
