BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT tests.unpublish('hub', :'id', false) #>> '{job,job_id}' AS job \gset
SELECT is(tests.fail_job(:'id'), 'completed', 'a removal that failed leaves the request as it was');
SELECT is(tests.status('hub', :'id') ->> 'message', 'could not be unpublished: ' || (tests.error() ->> 'message'), 'and says so');
SELECT is(tests.unpublish('hub', :'id') #>> '{job,status}', 'failed', 'a dry run shows it');
SELECT is(tests.unpublish('hub', :'id', false) #>> '{job,job_id}', :'job', 'asked again, the job');
SELECT is(tests.job_status(:'job'), 'processing', 'is taken up');
SELECT is(tests.status('hub', :'id') ->> 'message', 'being unpublished', 'which shows');
SELECT tests.end_job(:'id') \gset
SELECT is(tests.status('hub', :'id') ->> 'status', 'unpublished', 'to its end');
SELECT is(tests.status('hub', :'id') -> 'error', 'null', 'without the old error');
SELECT * FROM finish();
ROLLBACK;
