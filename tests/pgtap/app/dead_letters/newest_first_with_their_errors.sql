BEGIN;
SELECT plan(7);
SELECT tests.given_workflow('a', '[{"task_type": "a", "fan_out": "each", "path": "$.files[*]", "failure_policy": "continue", "max_attempts": 1}, {"task_type": "b"}]');
SELECT tests.given_job('a', '{"files": ["x.tif", "y.tif", "z.tif"]}') AS job \gset
SELECT app.fail_task(task_id, attempt, tests.error(code => 'OLDER')) FROM app.claim_tasks('w1', NULL, 1);
UPDATE app.task_errors SET created_at = created_at - interval '1 hour';
SELECT app.fail_task(task_id, attempt, tests.error(code => 'NEWER')) FROM app.claim_tasks('w1', NULL, 1);
SELECT results_eq('SELECT code, item, job_type::text, redrivable FROM app.dead_letters()', $$VALUES ('NEWER', '"y.tif"'::jsonb, 'a', true), ('OLDER', '"x.tif"', 'a', true)$$);
SELECT is((SELECT array_agg(code) FROM app.dead_letters(code => 'OLDER')), '{OLDER}');
SELECT is((SELECT array_agg(code) FROM app.dead_letters(before => (SELECT failed_at FROM app.dead_letters(limit_rows => 1)))), '{OLDER}', 'the next page');
SELECT is((SELECT count(*) FROM app.dead_letters('b')), 0::bigint, 'of another type there are none');
SELECT app.redrive_task((SELECT task_id FROM app.dead_letters('a', 'NEWER')));
SELECT is((SELECT array_agg(code) FROM app.dead_letters()), '{OLDER}', 'a redriven one is none');
SELECT tests.work('w1', 2);
SELECT is((SELECT redrivable FROM app.dead_letters()), false, 'once the job has gone on it stays one');
SELECT throws_ok('SELECT app.dead_letters(limit_rows => 0)', 'GM422');
SELECT * FROM finish();
ROLLBACK;
