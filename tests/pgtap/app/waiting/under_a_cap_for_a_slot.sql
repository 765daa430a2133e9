BEGIN;
SELECT plan(8);
SELECT tests.given_workflow('wide', '[{"task_type": "a", "fan_out": "count", "path": "$.n", "max_runtime_seconds": 7200}]');
SELECT app.set_cap('task_type', 'a', 2) \gset
SELECT tests.given_job('wide', '{"n": 6000}') AS job \gset
SELECT stage_id FROM app.stages WHERE job_id = :'job' \gset
SELECT is((SELECT count(*) FROM app.turn('w1', '[]', NULL, 10)), 2::bigint, 'as given');
SELECT results_eq('SELECT waits_for, ready, running FROM app.waiting()', $$VALUES ('a slot of its cap', 0::bigint, 2::bigint)$$);
SELECT is((SELECT (completed + failed + cancelled + running + ready + delayed = tasks, completed, running, next_run_at)::text FROM app.stage_counts(:stage_id)), '(t,0,2,)', 'the sum is right, and no retry is promised');
UPDATE app.jobs SET created_at = created_at - interval '1 hour';
UPDATE app.stages SET created_at = created_at - interval '1 hour';
UPDATE app.tasks SET started_at = started_at - interval '20 minutes' WHERE status = 'processing';
SELECT is((SELECT reason FROM app.stuck_jobs()), '2 task(s) run and do not end');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (error, parts #> '{repair_stages,faults}')::text FROM app.janitor_runs WHERE run_id = :run), '(,{})', 'which the janitor takes for no fault');
SELECT app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM app.running_tasks()), NULL, 0);
SELECT count(*) FROM app.claim_tasks('w1', NULL, 2);
SELECT tests.move_clock(interval '20 seconds');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (parts #>> '{count_tasks,tasks}') FROM app.janitor_runs WHERE run_id = :run), '2', 'what has ended is counted');
SELECT app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM app.running_tasks()), NULL, 2);
SELECT tests.move_clock(interval '20 seconds');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (parts #>> '{count_tasks,tasks}') FROM app.janitor_runs WHERE run_id = :run), '2', 'once');
SELECT ok(app.metrics() LIKE E'%\ngeomill_stages_capped 1\n%');
SELECT * FROM finish();
ROLLBACK;
