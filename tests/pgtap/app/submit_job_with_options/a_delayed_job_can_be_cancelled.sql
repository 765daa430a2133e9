BEGIN;
SELECT plan(4);
SELECT app.submit_job_with_options('hello_world', '{"n": 2}', '{"run_at": "2099-01-01T00:00:00Z"}') AS job \gset
SELECT is(app.cancel_job(:'job')::text, 'cancelled');
SELECT is((SELECT count(*) FROM app.parked_stages), 0::bigint, 'nothing stays parked');
SELECT is(app.retry_job(:'job'), 2, 'taken up again it is as any job');
SELECT is(tests.work(), 4);
SELECT * FROM finish();
ROLLBACK;
