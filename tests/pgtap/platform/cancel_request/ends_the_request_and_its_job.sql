BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT is((SELECT count(*) FROM app.claim_tasks('w1', NULL, 1)), 1::bigint, 'a worker is at it');
SELECT tests.ask('hub', format('SELECT platform.cancel_request(%L, %L)', :'id', 'wrong file')) -> 'cancel_request' AS status \gset
SELECT is((:'status'::jsonb) ->> 'status', 'cancelled', 'the status says so');
SELECT is((:'status'::jsonb) #>> '{error,message}', 'cancelled: wrong file', 'and why');
SELECT is((SELECT j.status::text FROM app.jobs AS j WHERE j.platform_request_id = :'id'), 'cancelled', 'the job has ended');
SELECT is((SELECT h.reason FROM app.heartbeat('w1') AS h), 'cancelled', 'the worker learns');
SELECT is((SELECT array_agg(j.parameters -> 'revision') FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'), '{1}'::jsonb[], 'what it left is discarded');
SELECT is((SELECT d.payload ->> 'status' FROM platform.webhook_deliveries AS d), 'cancelled', 'the client is owed a call');
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L)', :'id')) #>> '{cancel_request,error,message}', 'cancelled: wrong file', 'again is the same');
SELECT tests.submitted('hub', '2') ->> 'request_id' AS second \gset
SELECT tests.completed(:'second') \gset
SELECT is(tests.refusal('hub', format('SELECT platform.cancel_request(%L)', :'second')) ->> 'sqlstate', 'GM409', 'what is done cannot be cancelled');
SELECT * FROM finish();
ROLLBACK;
