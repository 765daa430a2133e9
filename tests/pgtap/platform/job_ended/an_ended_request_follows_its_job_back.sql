BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.fail_job(:'id') \gset
SELECT app.retry_job((SELECT j.job_id FROM app.jobs AS j WHERE j.platform_request_id = :'id')) \gset
SELECT tests.status('hub', :'id') AS status \gset
SELECT is((:'status'::jsonb) ->> 'status', 'processing', 'a request goes on with its job that was taken up again');
SELECT is(((:'status'::jsonb) ->> 'error', (:'status'::jsonb) ->> 'completed_at')::text, '(,)', 'without the error, and without an end');
SELECT app.pause_task_type('discard_v3', 'only the request''s own jobs are worked on') \gset
SELECT is(tests.completed(:'id'), 'completed', 'a job that an operator took up again takes its request along');
SELECT is((SELECT (d.status, d.payload ->> 'status')::text FROM platform.webhook_deliveries AS d), '(pending,completed)', 'and the call that is owed tells the new end');
SELECT * FROM finish();
ROLLBACK;
