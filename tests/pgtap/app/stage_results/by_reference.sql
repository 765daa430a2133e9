BEGIN;
SELECT plan(2);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT tests.work('w1', 2, '{"x": 1}');
SELECT results_eq(format('SELECT task_index, result_data FROM app.stage_results(%L, 1)', :'job'), $$VALUES (0, '{"x": 1}'::jsonb), (1, '{"x": 1}')$$);
SELECT is_empty(format('SELECT * FROM app.stage_results(%L, 9)', :'job'));
SELECT * FROM finish();
ROLLBACK;
