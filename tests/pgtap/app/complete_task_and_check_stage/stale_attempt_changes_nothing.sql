BEGIN;
SELECT plan(6);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is((SELECT task_updated FROM app.complete_task_and_check_stage(:task_id, :attempt - 1, '{}')), false, 'an older attempt says so');
SELECT is((SELECT task_updated FROM app.complete_task_and_check_stage(:task_id, :attempt + 1, '{}')), false, 'a future one too');
SELECT is(tests.task_status(:task_id), 'processing', 'and the task is as it was');
SELECT is((SELECT task_updated FROM app.complete_task_and_check_stage(:task_id, :attempt, '{"a": 1}')), true, 'the current one completes');
SELECT is((SELECT task_updated FROM app.complete_task_and_check_stage(:task_id, :attempt, '{"a": 2}')), false, 'once');
SELECT is((SELECT result_data FROM app.task_results WHERE task_id = :task_id), '{"a": 1}', 'and keeps its result');
SELECT * FROM finish();
ROLLBACK;
