BEGIN;
SELECT plan(7);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT is(tests.fail_job(:'id'), 'failed', 'a task fails for good');
SELECT is(tests.status('hub', :'id') #>> '{error,code}', 'TEST_FAILURE', 'the request knows why');
SELECT is(tests.status('hub', :'id') ->> 'message', 'as the test wants it', 'and says so');
SELECT is(tests.status('hub', :'id') -> 'endpoints', 'null', 'there is nothing to see');
SELECT is((SELECT j.job_id FROM platform.request_jobs AS j WHERE j.sequence = 2)::text, NULL, 'no further job is submitted');
SELECT is((SELECT j.parameters - 'job_ids' FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'),
          jsonb_build_object('request_id', :'id', 'revision', 1, 'client_id', 'hub', 'dataset_id', 'Base Map', 'resource_id', 'roads', 'version_id', '1'), 'what it left is discarded');
SELECT is((SELECT (d.status, d.payload ->> 'status', d.payload #>> '{error,code}')::text FROM platform.webhook_deliveries AS d), '(pending,failed,TEST_FAILURE)', 'the client is owed a call');
SELECT * FROM finish();
ROLLBACK;
