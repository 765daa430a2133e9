BEGIN;
SELECT plan(2);
-- It has nothing of its job in its row.
SELECT tests.given_workflow('wide', '[{"fan_out": "count", "path": "$.n", "task_parameters": ["n"]}]');
SELECT app.submit_job_with('wide', '{"n": 4}', 0, NULL, 1, 'mine') AS job \gset
UPDATE app.stages SET job_type = NULL, correlation_id = NULL, platform_request_id = NULL;
SELECT app.register_worker('w1'), app.register_worker('w2');
PREPARE claim AS SELECT job_id, job_type, task_index, parameters, correlation_id FROM app.turn('w1', $1, NULL, $2);
SELECT results_eq($$ EXECUTE claim('[]', 1) $$, format($$ VALUES (%L::varchar, 'wide'::varchar, 0, '{"n": 4}'::jsonb, 'mine'::varchar) $$, :'job'));
SELECT app.release_tasks('w1');
SELECT results_eq($$ SELECT DISTINCT job_type, correlation_id FROM app.turn('w2', '[]', NULL, 2) $$, $$ VALUES ('wide'::varchar, 'mine'::varchar) $$);
SELECT * FROM finish();
ROLLBACK;
