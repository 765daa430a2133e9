BEGIN;
SELECT plan(4);
SELECT tests.given_job('hello_world', '{"n": 1}') AS job \gset
SELECT is(app.submit_job_with_options('hello_world', '{"n": 1}')::text, :'job', 'without options it is submit_job');
SELECT app.submit_job_with_options('hello_world', '{"n": 1}', '{"identity": "Tuesday", "metadata": {"by": "me"}}') AS tuesday \gset
SELECT isnt(:'tuesday'::text, :'job', 'an identity makes it another');
SELECT is(app.submit_job_with_options('hello_world', '{"n": 1}', '{"identity": "Tuesday", "priority": 5}')::text, :'tuesday', 'and the same again');
SELECT is((SELECT metadata FROM app.jobs WHERE job_id = :'tuesday'), '{"by": "me"}'::jsonb);
SELECT * FROM finish();
ROLLBACK;
