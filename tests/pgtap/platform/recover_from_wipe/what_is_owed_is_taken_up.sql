BEGIN;
SELECT plan(17);
SELECT tests.given_client('hub') \gset
SELECT tests.submitted('hub', '5') ->> 'request_id' AS finished \gset
SELECT tests.completed(:'finished') \gset
SELECT tests.submitted('hub', '4') ->> 'request_id' AS going \gset
SELECT tests.completed(:'going') \gset
SELECT tests.submitted('hub', '1', callback_url => 'https://hub.example/done') ->> 'request_id' AS done \gset
SELECT tests.completed(:'done') \gset
SELECT tests.submitted('hub', '2', callback_url => 'https://hub.example/done') ->> 'request_id' AS running \gset
SELECT tests.submitted('hub', '3') ->> 'request_id' AS waiting \gset
SELECT task_id FROM app.claim_tasks('w1', '{vector_plan}', 1) \gset
SELECT tests.unpublish('hub', :'going', false) \gset
TRUNCATE app.jobs, app.stages, app.tasks, app.ready_stages, app.task_inputs, app.task_results, app.task_errors;

SELECT * FROM platform.recover_from_wipe() \gset
SELECT is(:'requests'::text[], ARRAY[:'running', :'waiting'], 'requests that were under way, oldest first');
SELECT is(:deliveries, 1, 'a call that was owed already');
SELECT is(:'removals'::text[], ARRAY[:'going'], 'what was being unpublished');

SELECT is(tests.status('hub', :'running') ->> 'status', 'failed', 'a request that was under way has failed');
SELECT is(tests.status('hub', :'running') #> '{error,retryable}', 'true', 'and can be tried again');
SELECT is(tests.status('hub', :'running') #>> '{error,category}', 'system', 'through no fault of the client''s');
SELECT ok(strpos(tests.status('hub', :'running') #>> '{error,remediation}', 'platform.retry_request') > 0, 'as it says');
SELECT is(tests.status('hub', :'done') ->> 'status', 'completed', 'one that had ended is as it was');
SELECT is(tests.status('hub', :'done') ->> 'progress_percent', '100', 'to the last percent');
SELECT is(tests.status('hub', :'done') #>> '{endpoints,table}', 'geo.t', 'with what readers see');
SELECT is((SELECT count(*) FROM platform.webhook_deliveries AS d JOIN app.jobs AS j ON j.job_id = d.job_id WHERE d.status = 'pending'), 2::bigint, 'each call that is owed has a job');
SELECT is((SELECT d.payload ->> 'status' FROM platform.webhook_deliveries AS d WHERE d.request_id = :'running'), 'failed', 'the client is told of the failure');
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'), 2::bigint, 'what the failed ones left behind is removed');

SELECT is(tests.ask('hub', format('SELECT platform.retry_request(%L) AS status', :'running')) #>> '{status,status}', 'pending', 'retried, it is pending');
SELECT is(tests.completed(:'running'), 'completed', 'and can come to its end');
SELECT tests.unpublish('hub', :'finished', false);
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.job_type = 'unpublish_vector'), 2::bigint, 'a request whose jobs are gone can be unpublished');
SELECT is((SELECT count(*) FROM platform.request_jobs AS j WHERE j.request_id = :'done' AND j.job_id IS NOT NULL), 2::bigint, 'the ids of jobs that are gone stay, for tables are named by them');
SELECT * FROM finish();
ROLLBACK;
