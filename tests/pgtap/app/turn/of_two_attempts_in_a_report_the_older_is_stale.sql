BEGIN;
SELECT plan(3);
SELECT tests.given_workflow('tolerant', '[{"fan_out": "count", "path": "$.n"}]');
SELECT tests.given_job('tolerant', '{"n": 2}') AS job \gset
SELECT task_id FROM app.turn('w1', '[]', NULL, 1) \gset
SELECT app.fail_task(:task_id, 1, tests.error(true));
SELECT tests.move_clock(interval '1 hour');
SELECT app.turn('w1', '[]', NULL, 1);
SELECT app.turn('w1', jsonb_build_array(
    jsonb_build_object('task_id', :task_id, 'attempt', 2, 'result_data', '{"by": "the second"}'::jsonb),
    jsonb_build_object('task_id', :task_id, 'attempt', 1, 'result_data', '{"by": "the first"}'::jsonb)), NULL, 0);
SELECT is(tests.task_status(:task_id), 'completed', 'the current attempt counts');
SELECT is((SELECT array_agg(result_data) FROM app.task_results), ARRAY['{"by": "the second"}']::jsonb[], 'with its own result');
SELECT is(tests.open_tasks(:'job'), 1::bigint, 'once');
SELECT * FROM finish();
ROLLBACK;
