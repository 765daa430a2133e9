BEGIN;
SELECT plan(2);
SELECT tests.given_job('hello_world', '{"n": 3}') AS job \gset
SELECT app.complete_task_and_check_stage(task_id, attempt, jsonb_build_object('greeting', task_index)) FROM app.claim_tasks('w1', NULL, 3);
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 10);
SELECT is((SELECT jsonb_agg(parameters -> 'previous' -> 'greeting' ORDER BY task_index) FROM got), '[0, 1, 2]', 'each receives its own result');
SELECT is((SELECT array_agg(DISTINCT task_type::text) FROM got), '{hello_reply}');
SELECT * FROM finish();
ROLLBACK;
