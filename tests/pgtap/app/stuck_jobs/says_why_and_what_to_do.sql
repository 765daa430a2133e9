BEGIN;
SELECT plan(10);
CREATE FUNCTION tests.stuck(job text) RETURNS text LANGUAGE sql AS $$ SELECT reason FROM app.stuck_jobs() WHERE job_id = job $$;
SELECT tests.given_workflow('a', '[{"task_type": "a", "fan_out": "count", "path": "$.n", "max_runtime_seconds": 7200, "backoff_seconds": 3000, "max_attempts": 5}]');
SELECT tests.given_job('a', '{"n": 2}') AS job \gset
SELECT is_empty('SELECT * FROM app.stuck_jobs()', 'not at once');
UPDATE app.jobs SET created_at = created_at - interval '1 hour';
UPDATE app.stages SET created_at = created_at - interval '1 hour';
SELECT is(tests.stuck(:'job'), 'no living worker claims a');
SELECT app.pause_task_type('a', 'disk is full');
SELECT results_eq('SELECT reason, remedy FROM app.stuck_jobs()', $$VALUES ('task type a is paused: disk is full', 'SELECT app.resume_task_type(''a'')')$$);
SELECT app.resume_task_type('a');
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is(tests.stuck(:'job'), NULL, 'a task began just now');
SELECT tests.move_clock(interval '20 minutes');
SELECT app.heartbeat('w1');
SELECT is(tests.stuck(:'job'), '1 task(s) run and do not end');
SELECT app.complete_task_and_check_stage(:task_id, :attempt, NULL);
SELECT app.fail_task(task_id, attempt, tests.error(true)) FROM app.claim_tasks('w1', NULL, 1);
SELECT tests.move_clock(interval '20 seconds');
SELECT is_empty($$SELECT * FROM app.stuck_jobs('10 seconds')$$, 'it waits for a retry, and that is as it should be');
SELECT tests.given_job('a', '{"n": 3}') AS broken \gset
DELETE FROM app.ready_stages;
SELECT results_eq('SELECT job_id::text, reason FROM app.stuck_jobs()', format($$VALUES (%L, 'its stage is unreachable')$$, :'broken'), 'what would never end is named at once');
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor() \gset
SELECT is(tests.stuck(:'broken'), NULL, 'the janitor has mended it');
DELETE FROM app.ready_stages;
DELETE FROM app.tasks AS t USING app.stages AS s WHERE s.stage_id = t.stage_id AND s.job_id = :'broken';
DELETE FROM app.stages WHERE job_id = :'broken';
SELECT is(tests.stuck(:'broken'), 'no stage of it is open');
SELECT ok((SELECT remedy LIKE '%run_janitor%' FROM app.stuck_jobs() WHERE job_id = :'broken'));
SELECT * FROM finish();
ROLLBACK;
