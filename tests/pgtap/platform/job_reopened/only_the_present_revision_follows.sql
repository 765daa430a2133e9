BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.fail_job(:'id'), 'failed', 'a request fails');
SELECT j.job_id AS job FROM app.jobs AS j WHERE j.platform_request_id = :'id' AND j.job_type = 'ingest_vector' \gset
SELECT app.redrive_task(t.task_id) AS redriven FROM app.tasks AS t JOIN app.stages AS s USING (stage_id) WHERE s.job_id = :'job' \gset
SELECT is(tests.status('hub', :'id') ->> 'status', 'processing', 'its dead letter is redriven, and it goes on');
SELECT is((SELECT r.status_message FROM platform.requests AS r), 'ingest_vector was taken up again', 'and says why');
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L) AS c', :'id')) #>> '{c,status}', 'cancelled', 'it can be cancelled as any other');
SELECT is(tests.ask('hub', format('SELECT platform.retry_request(%L) AS c', :'id')) #>> '{c,status}', 'pending', 'and retried, as a new revision');
SELECT app.retry_job(:'job') AS reopened \gset
SELECT is((SELECT (r.status, r.revision)::text FROM platform.requests AS r), '(pending,2)', 'which a job of the one before does not move');
SELECT is((SELECT j.status::text FROM app.jobs AS j WHERE j.job_id = :'job'), 'processing', 'though it runs');
SELECT is(platform.job_reopened('no such job')::text, '', 'nor does one that is not there');
SELECT * FROM finish();
ROLLBACK;
