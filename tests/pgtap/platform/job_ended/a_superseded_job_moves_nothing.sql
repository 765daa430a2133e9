BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.fail_job(:'id') \gset
SELECT j.job_id AS old FROM app.jobs AS j WHERE j.platform_request_id = :'id' \gset
SELECT tests.ask('hub', format('SELECT platform.retry_request(%L)', :'id')) ->> 'x' AS x \gset
SELECT is(app.retry_job(:'old'), 1, 'an operator takes up a job of the revision before');
SELECT app.cancel_job(:'old') \gset
SELECT is(tests.status('hub', :'id') ->> 'status', 'pending', 'the request stays with its own');
SELECT is((SELECT count(*) FROM platform.request_jobs AS j WHERE j.revision = 2 AND j.job_id IS NOT NULL), 1::bigint, 'whose job is the one it was');
SELECT * FROM finish();
ROLLBACK;
