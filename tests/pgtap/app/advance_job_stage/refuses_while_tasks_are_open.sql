BEGIN;
SELECT plan(5);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT throws_ok(format('SELECT * FROM app.advance_job_stage(%L, 1)', :'job'), 'GM409');
SELECT throws_ok($$SELECT * FROM app.advance_job_stage('nope', 1)$$, 'GM404');
SELECT tests.work('w1', 2);
SELECT is((SELECT (job_updated, new_stage, is_final_stage)::text FROM app.advance_job_stage(:'job', 1)), '(f,2,t)', 'a stage advances once');
SELECT tests.work();
SELECT is((SELECT job_updated FROM app.advance_job_stage(:'job', 2)), false, 'a finished job stays finished');
SELECT is(tests.job_status(:'job'), 'completed');
SELECT * FROM finish();
ROLLBACK;
