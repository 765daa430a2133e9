BEGIN;
SELECT plan(3);
SELECT tests.given_workflow('one', '[{"task_parameters": ["a"]}]');
SELECT tests.given_job('one', '{"a": 1, "b": 2}') AS job \gset
SELECT is(tests.stage_tasks(:'job', 1), 1::bigint);
SELECT is((SELECT parameters FROM app.claim_tasks('w1', NULL, 1)), '{"a": 1}', 'it receives what the stage names, no more');
SELECT tests.work();
SELECT is((SELECT total_stages FROM app.jobs), 1);
SELECT * FROM finish();
ROLLBACK;
