BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.end_job(:'id', '{"vector": "not an object"}'), 'completed', 'a job reports what the next cannot take');
SELECT is(tests.status('hub', :'id') ->> 'status', 'failed', 'the request ends');
SELECT is(tests.status('hub', :'id') #>> '{error,code}', 'NEXT_JOB_REFUSED', 'and says why');
SELECT * FROM finish();
ROLLBACK;
