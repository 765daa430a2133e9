BEGIN;
SELECT plan(3);
SELECT tests.given_workflow('listed', '[{"fan_out": "each", "path": "$.files[*]", "task_parameters": ["x"]}]');
SELECT tests.given_job('listed', '{"x": 1, "files": ["a", {"b": 2}, null]}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 10);
SELECT is((SELECT jsonb_agg(parameters -> 'item' ORDER BY task_index) FROM got), '["a", {"b": 2}, null]', 'one for each, in order');
SELECT is((SELECT parameters FROM got WHERE task_index = 0), '{"x": 1, "item": "a"}');
SELECT is(tests.job_status(tests.given_job('listed', '{"x": 2}')), 'completed', 'no array, no tasks');
SELECT * FROM finish();
ROLLBACK;
