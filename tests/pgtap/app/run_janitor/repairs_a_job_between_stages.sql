BEGIN;
SELECT plan(6);
SELECT tests.given_workflow('two', '[{}, {}]');
SELECT tests.given_job('two', '{"which": 1}') AS goes_on \gset
SELECT tests.given_job('two', '{"which": 2}') AS failed \gset
SELECT tests.given_job('two', '{"which": 3}') AS last \gset
SELECT tests.work('w1', 1);
-- Behind the engine's back: the first lost its second stage, the second did not end with its failed stage, the third not with its last.
DELETE FROM app.ready_stages AS r USING app.stages AS s WHERE s.stage_id = r.stage_id AND s.stage = 2;
DELETE FROM app.tasks AS t USING app.stages AS s WHERE s.stage_id = t.stage_id AND s.stage = 2;
DELETE FROM app.stages WHERE stage = 2;
UPDATE app.stages SET status = 'failed', completed_tasks = 0, failed_tasks = 1, completed_at = app.clock() WHERE job_id = :'failed';
UPDATE app.stages SET status = 'completed', completed_tasks = 1, failed_tasks = 0, completed_at = app.clock() WHERE job_id = :'last';
UPDATE app.jobs SET total_stages = 1 WHERE job_id = :'last';
UPDATE app.tasks SET status = 'cancelled' WHERE status = 'pending';
DELETE FROM app.ready_stages;
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (parts #>> '{repair_jobs,repaired}')::integer FROM app.janitor_runs WHERE run_id = :run), 3);
SELECT is(tests.stage_tasks(:'goes_on', 2), 1::bigint, 'the next stage is there');
SELECT is(tests.job_status(:'failed'), 'failed', 'it ends as its stage did');
SELECT is((SELECT error_details ->> 'code' FROM app.jobs WHERE job_id = :'failed'), 'JOB_REPAIRED', 'and says why');
SELECT is(tests.job_status(:'last'), 'completed');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (parts #>> '{repair_jobs,repaired}')::integer FROM app.janitor_runs WHERE run_id = :run), 0, 'and then there is nothing to do');
SELECT * FROM finish();
ROLLBACK;
