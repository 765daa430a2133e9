BEGIN;
SELECT plan(4);
SELECT tests.given_job('hello_world', '{"n": 4}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 4);
SELECT is((SELECT remaining_tasks FROM got, app.complete_task_and_check_stage(task_id, attempt, '{}') WHERE task_index = 1), NULL, 'not armed: nobody counts');
SELECT is((SELECT remaining_tasks FROM got, app.complete_task_and_check_stage(task_id, attempt, '{}') WHERE task_index = 3), 2, 'the last index arms');
SELECT is((SELECT remaining_tasks FROM got, app.complete_task_and_check_stage(task_id, attempt, '{}') WHERE task_index = 0), 1, 'and then it counts down');
SELECT ok((SELECT is_last_task_in_stage FROM got, app.complete_task_and_check_stage(task_id, attempt, '{}') WHERE task_index = 2), 'to the light');
SELECT * FROM finish();
ROLLBACK;
