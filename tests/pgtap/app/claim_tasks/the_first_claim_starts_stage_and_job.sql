BEGIN;
SELECT plan(4);
SELECT tests.given_workflow('matched', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue"}, {"fan_out": "match_previous"}]');
SELECT tests.given_job('matched', '{"n": 3}') AS job \gset
SELECT is(tests.job_status(:'job'), 'pending');
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 3);
SELECT is(ARRAY[tests.stage_status(:'job', 1), tests.job_status(:'job')], '{processing,processing}');
SELECT app.fail_task(task_id, attempt, tests.error()) FROM got WHERE task_index = 0;
SELECT app.complete_task_and_check_stage(task_id, attempt, '{}') FROM got WHERE task_index > 0;
SELECT is((SELECT task_index FROM app.claim_tasks('w1', NULL, 1)), 1, 'given: a stage whose first task has not the index 0');
SELECT is(tests.stage_status(:'job', 2), 'processing');
SELECT * FROM finish();
ROLLBACK;
