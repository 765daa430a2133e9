BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.fail_job(:'id'), 'failed', 'a request has failed');
SELECT is(tests.submitted('hub') - 'status_url' - 'warnings', jsonb_build_object('request_id', :'id', 'status', 'failed', 'created', false, 'revision', 1), 'submitted again it is the failed one');
SELECT is(tests.submitted('hub') #>> '{warnings,0,code}', 'REQUEST_FAILED', 'with a warning');
SELECT matches(tests.submitted('hub') #>> '{warnings,0,remediation}', 'retry_request', 'that says how to retry');
SELECT is(tests.submitted('hub', config => '{"overwrite": true}') -> 'revision', '2', 'overwrite starts it again');
SELECT is((SELECT array_agg(j.parameters -> 'revision') FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'), '{1}'::jsonb[], 'what failed has been discarded');
SELECT * FROM finish();
ROLLBACK;
