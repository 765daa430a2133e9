BEGIN;
SELECT plan(5);
SELECT tests.given_job('hello_world', '{"n": 2}') AS first \gset
SELECT tests.given_job('hello_world', '{"n": 3}') AS second \gset
UPDATE app.jobs SET created_at = created_at - interval '1 hour' WHERE job_id = :'first';
SELECT tests.work('w1', 1);
SELECT results_eq('SELECT job_id::text, status, tasks, completed FROM app.list_jobs()', format($$VALUES (%L, 'pending', 3::bigint, 0::bigint), (%L, 'processing', 2, 1)$$, :'second', :'first'));
SELECT is((SELECT percent FROM app.list_jobs('processing')), 25, 'half of the first of two stages');
SELECT is((SELECT array_agg(job_id::text) FROM app.list_jobs(before => (SELECT created_at FROM app.list_jobs(limit_rows => 1)))), ARRAY[:'first'], 'the next page');
SELECT throws_ok($$SELECT app.list_jobs('nope')$$, 'GM422');
SELECT throws_ok($$SELECT app.list_jobs(limit_rows => 0)$$, 'GM422');
SELECT * FROM finish();
ROLLBACK;
