BEGIN;
SELECT plan(9);
SELECT tests.given_workflow('three', '[{"fan_out": "count", "path": "$.n"}, {"fan_out": "match_previous"}, {}]');
SELECT tests.given_job('three', '{"n": 3}') AS job \gset
SELECT tests.work('w1', 2, '{"run": 1}');
SELECT app.fail_task(task_id, attempt, tests.error()) FROM app.claim_tasks('w1', NULL, 1);
SELECT is(app.retry_job(:'job'), 1, 'one failed, one runs again');
SELECT tests.work('w1', 1, '{"run": 2}');
SELECT results_eq(format('SELECT result_data ->> ''run'' FROM app.stage_results(%L, 1) ORDER BY task_index', :'job'), ARRAY['1', '1', '2'],
    'the results of those that completed are the old ones');
SELECT is(tests.stage_tasks(:'job', 2), 3::bigint);
SELECT tests.work('w1', 1, '{"run": 3}');
SELECT app.cancel_job(:'job');
SELECT is(app.retry_job(:'job'), 2, 'cancelled in the second stage: what was open of that, and nothing of the first');
SELECT is(tests.stage_status(:'job', 1), 'completed');
SELECT is(tests.work('w2', 100, '{"run": 4}'), 3, 'it goes on to its end');
SELECT results_eq(format('SELECT result_data ->> ''run'' FROM app.stage_results(%L, 2) ORDER BY task_index', :'job'), ARRAY['3', '4', '4']);
SELECT is(tests.job_status(:'job'), 'completed');
SELECT is((SELECT count(*) FROM app.stages WHERE job_id = :'job'), 3::bigint, 'each stage is there once');
SELECT * FROM finish();
ROLLBACK;
