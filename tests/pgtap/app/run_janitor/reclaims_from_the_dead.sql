BEGIN;
SELECT plan(6);
SELECT tests.given_workflow('patient', '[{"max_attempts": 2, "backoff_seconds": 0}]');
SELECT tests.given_job('patient', '{}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.run_janitor();
SELECT is(tests.task_status(:task_id), 'processing', 'the living are not touched');
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (workers_declared_dead, tasks_reclaimed, error)::text FROM app.janitor_runs WHERE run_id = :run), '(1,1,)');
SELECT is((SELECT attempt FROM app.claim_tasks('w2', NULL, 1)), 2);
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor();
SELECT is(tests.job_status(:'job'), 'failed', 'a poisonous task cannot loop');
SELECT is((SELECT array_agg(error ->> 'code' ORDER BY attempt) FROM app.task_errors), '{WORKER_DIED,WORKER_DIED}', 'attempts and errors add up');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (workers_declared_dead, tasks_reclaimed, stages_repaired)::text FROM app.janitor_runs WHERE run_id = :run), '(0,0,0)', 'and then there is nothing to do');
SELECT * FROM finish();
ROLLBACK;
