BEGIN;
SELECT plan(7);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', config => '{"title": "Roads"}', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT is(tests.refusal('hub', format('SELECT platform.retry_request(%L)', :'id')) ->> 'sqlstate', 'GM409', 'what runs is not retried');
SELECT tests.fail_job(:'id') \gset
SELECT tests.ask('hub', format('SELECT platform.retry_request(%L)', :'id')) -> 'retry_request' AS status \gset
SELECT is((:'status'::jsonb) ->> 'status', 'pending', 'it is pending again');
SELECT is((:'status'::jsonb) -> 'revision', '2', 'in a revision of its own');
SELECT is((:'status'::jsonb) -> 'error', 'null', 'without the old error');
SELECT is((SELECT j.parameters ->> 'title' FROM app.jobs AS j WHERE j.revision = 2), 'Roads', 'with the same content');
SELECT is(tests.submitted('hub', config => '{"title": "Roads"}', callback_url => 'https://hub.example.org/hook') -> 'warnings', '[]', 'which is the same request');
SELECT tests.completed(:'id') \gset
SELECT is(tests.refusal('hub', format('SELECT platform.retry_request(%L)', :'id')) ->> 'sqlstate', 'GM409', 'nor what is done');
SELECT * FROM finish();
ROLLBACK;
