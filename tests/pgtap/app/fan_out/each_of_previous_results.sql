BEGIN;
SELECT plan(3);
SELECT tests.given_workflow('planned', '[{"fan_out": "count", "path": "$.n"}, {"fan_out": "each", "path": "$.chunks[*]", "of": "previous"}, {}]');
SELECT tests.given_job('planned', '{"n": 2}') AS job \gset
SELECT app.complete_task_and_check_stage(task_id, attempt, jsonb_build_object('chunks', jsonb_build_array(task_index * 10, task_index * 10 + 1)))
  FROM app.claim_tasks('w1', NULL, 2);
SELECT is((SELECT jsonb_agg(parameters -> 'item' ORDER BY task_index) FROM app.claim_tasks('w1', NULL, 10)), '[0, 1, 10, 11]', 'one for each element of each result, in order');
SELECT tests.given_job('planned', '{"n": 2, "again": 1}') AS job2 \gset
SELECT app.complete_task_and_check_stage(task_id, attempt, '{"chunks": []}') FROM app.claim_tasks('w1', NULL, 2);
SELECT is(tests.stage_status(:'job2', 2), 'completed', 'nothing planned: the stage ends as it opens');
SELECT is(tests.stage_tasks(:'job2', 3), 1::bigint, 'and the next one has its tasks, in the same transaction');
SELECT * FROM finish();
ROLLBACK;
