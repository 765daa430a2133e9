BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.com/done') ->> 'request_id' AS ended \gset
SELECT tests.submitted('hub', '2') ->> 'request_id' AS lost \gset
SELECT tests.submitted('hub', '3') ->> 'request_id' AS healthy \gset
-- Behind the engine's back: one request did not learn of its job's end, the job of another is gone.
SELECT tests.fail_job(:'ended');
SELECT is(tests.status('hub', :'ended') ->> 'status', 'failed', 'as given');
UPDATE platform.requests SET status = 'processing', completed_at = NULL, error = NULL WHERE request_id = :'ended';
DELETE FROM app.jobs WHERE platform_request_id = :'lost';
UPDATE platform.webhook_deliveries SET job_id = NULL;
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT parts #>> '{repair_requests,requests}' FROM app.janitor_runs WHERE run_id = :run), '2');
SELECT is(tests.status('hub', :'ended') ->> 'status', 'failed', 'it ended with its job');
SELECT is(tests.status('hub', :'lost') #>> '{error,code}', 'JOB_LOST', 'without a job it fails');
SELECT is(tests.ask('hub', format('SELECT platform.retry_request(%L) AS s', :'lost')) #>> '{s,status}', 'pending', 'and can be tried again');
SELECT is(tests.status('hub', :'healthy') ->> 'status', 'pending', 'the healthy one waits on');
SELECT is((SELECT count(job_id) FROM platform.webhook_deliveries WHERE status = 'pending'), 1::bigint, 'the owed call has a job again');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (parts -> 'repair_requests') - 'seconds' FROM app.janitor_runs WHERE run_id = :run), '{"requests": 0, "deliveries": 0}', 'and then there is nothing to do');
SELECT * FROM finish();
ROLLBACK;
