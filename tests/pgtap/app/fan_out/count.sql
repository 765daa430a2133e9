BEGIN;
SELECT plan(4);
SELECT tests.given_workflow('counted', '[{"fan_out": "count", "path": "$.n"}]');
SELECT is(tests.stage_tasks(tests.given_job('counted', '{"n": 1000}'), 1), 1000::bigint);
SELECT is(tests.job_status(tests.given_job('counted', '{"n": 0}')), 'completed', 'a stage without tasks ends as it opens');
SELECT is(tests.job_status(tests.given_job('counted', '{"n": 1.5}')), 'failed', 'half a task cannot be');
SELECT is((SELECT error_details ->> 'code' FROM app.jobs WHERE status = 'failed'), 'FAN_OUT_COUNT', 'and says why');
SELECT * FROM finish();
ROLLBACK;
