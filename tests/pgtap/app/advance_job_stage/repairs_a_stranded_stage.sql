BEGIN;
SELECT plan(4);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
UPDATE app.tasks SET status = 'processing', attempt = 1;
UPDATE app.tasks SET status = 'completed';  -- behind the engine's back
DELETE FROM app.ready_stages;
SELECT is((SELECT (job_updated, new_stage, is_final_stage)::text FROM app.advance_job_stage(:'job', 1, '{"mine": 1}')), '(t,2,t)');
SELECT is((SELECT stage_results FROM app.stages WHERE stage = 1), '{"mine": 1}', 'stage_results is kept');
SELECT is(tests.stage_tasks(:'job', 2), 2::bigint);
SELECT is(tests.job_status(:'job'), 'pending', 'nobody has claimed anything yet');
SELECT * FROM finish();
ROLLBACK;
