BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT tests.unpublish('hub', :'id', false) #>> '{job,job_id}' AS job \gset
SELECT tests.end_job(:'id') \gset
SELECT tests.submitted('hub') AS again \gset
SELECT is(tests.fail_job(:'id'), 'failed', 'the revision after the one that was taken back fails');
SELECT is((SELECT array_agg(j.parameters -> 'revision') FROM app.jobs AS j WHERE j.job_type = 'unpublish_vector' AND j.job_id <> :'job'), '{2}'::jsonb[], 'and is taken back as a whole');
SELECT is(tests.status('hub', :'id') ->> 'message', tests.error() ->> 'message', 'but it did fail, and says why');
SELECT * FROM finish();
ROLLBACK;
