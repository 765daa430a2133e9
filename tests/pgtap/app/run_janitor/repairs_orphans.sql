BEGIN;
SELECT plan(5);
SELECT tests.given_workflow('one', '[{}]');
SELECT tests.given_job('one', '{}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
UPDATE app.workers SET holding = '{}', holding_attempts = '{}';  -- the running task is in nobody's row
SELECT tests.move_clock(interval '2 minutes');
SELECT app.heartbeat('w1');
SELECT app.run_janitor();
SELECT is(tests.task_status(:task_id), 'processing', 'while its worker lives, it may be at it');
SELECT app.release_tasks('w1', true);
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT parts #> '{repair_stages,faults}' FROM app.janitor_runs WHERE run_id = :run), '{"orphaned": 1}');
SELECT is(tests.task_status(:task_id), 'pending', 'then it is taken back');
SELECT is((SELECT error ->> 'code' FROM app.task_errors), 'WORKER_LOST', 'attempts and errors add up');
SELECT tests.move_clock(interval '1 hour');
SELECT tests.work('w2');
SELECT is(tests.job_status(:'job'), 'completed');
SELECT * FROM finish();
ROLLBACK;
