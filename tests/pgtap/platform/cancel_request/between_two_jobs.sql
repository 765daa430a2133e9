BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.end_job(:'id', '{"vector": {}}'), 'completed', 'the first job is done, the second waits');
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L)', :'id')) #>> '{cancel_request,status}', 'cancelled', 'the request ends');
SELECT is((SELECT jsonb_array_length(j.parameters -> 'job_ids') FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'), 2, 'and what both jobs left is discarded');
SELECT * FROM finish();
ROLLBACK;
