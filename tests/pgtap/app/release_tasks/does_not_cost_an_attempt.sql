BEGIN;
SELECT plan(5);
SELECT tests.given_workflow('once', '[{"max_attempts": 1}]');
SELECT tests.given_job('once', '{}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is(app.release_tasks('w1', true), 1);
SELECT is((SELECT status::text FROM app.workers), 'stopped');
SELECT is((SELECT attempt FROM app.claim_tasks('w2', NULL, 1)), 2, 'claimable at once');
SELECT is((SELECT task_updated FROM app.complete_task_and_check_stage(:task_id, 1, NULL)), false, 'the old attempt is stale');
SELECT app.complete_task_and_check_stage(:task_id, 2, NULL);
SELECT is(tests.job_status(:'job'), 'completed');
SELECT * FROM finish();
ROLLBACK;
