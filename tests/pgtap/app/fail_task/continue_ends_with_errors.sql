BEGIN;
SELECT plan(6);
SELECT tests.given_workflow('tolerant', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "max_failed_fraction": 0.5}, {"fan_out": "match_previous"}]');
SELECT tests.given_job('tolerant', '{"n": 4}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 4);
SELECT is((SELECT job_status::text FROM got, app.fail_task(task_id, attempt, tests.error()) WHERE task_index = 3), 'processing', 'the job goes on');
SELECT app.complete_task_and_check_stage(task_id, attempt, '{}') FROM got WHERE task_index < 3;
SELECT is(tests.stage_status(:'job', 1), 'completed_with_errors');
SELECT is(tests.stage_tasks(:'job', 2), 3::bigint, 'match_previous: one for each that completed');
SELECT tests.work();
SELECT is(tests.job_status(:'job'), 'completed_with_errors');
SELECT tests.given_job('tolerant', '{"n": 4, "again": true}') AS job2 \gset
TRUNCATE got;
INSERT INTO got SELECT * FROM app.claim_tasks('w1', NULL, 4);
SELECT app.fail_task(task_id, attempt, tests.error()) FROM got WHERE task_index < 3;
SELECT app.complete_task_and_check_stage(task_id, attempt, '{}') FROM got WHERE task_index = 3;
SELECT is(tests.job_status(:'job2'), 'failed', 'above the threshold the job fails');
SELECT is((SELECT error_details ->> 'failed_tasks' FROM app.jobs WHERE job_id = :'job2'), '3', 'and says how many');
SELECT * FROM finish();
ROLLBACK;
