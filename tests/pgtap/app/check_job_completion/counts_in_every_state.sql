BEGIN;
SELECT plan(5);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT is((SELECT (job_complete, final_stage, total_tasks, completed_tasks, failed_tasks)::text FROM app.check_job_completion(:'job')), '(f,2,2,0,0)');
SELECT tests.work('w1', 3);
SELECT is((SELECT (job_complete, final_stage, total_tasks, completed_tasks, failed_tasks)::text FROM app.check_job_completion(:'job')), '(f,2,4,3,0)');
SELECT tests.work();
SELECT is((SELECT (job_complete, final_stage, total_tasks, completed_tasks, failed_tasks)::text FROM app.check_job_completion(:'job')), '(t,2,4,4,0)');
SELECT is((SELECT jsonb_array_length(task_results) FROM app.check_job_completion(:'job')), 2, 'the final stage''s results');
SELECT throws_ok($$SELECT * FROM app.check_job_completion('nope')$$, 'GM404');
SELECT * FROM finish();
ROLLBACK;
