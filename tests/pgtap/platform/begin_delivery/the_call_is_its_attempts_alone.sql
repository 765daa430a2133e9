BEGIN;
SELECT plan(11);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT * FROM platform.begin_delivery(:task_id, :attempt) \gset
SELECT is(:'callback_url'::text, 'https://hub.example.org/hook', 'where to');
SELECT is((:'body')::jsonb ->> 'request_id', :'id', 'what');
SELECT is((:'body')::jsonb ->> 'status', 'completed', 'as the request ended');
SELECT is(:'client_id'::text, 'hub', 'for whom');
SELECT is(:'generations'::integer[], '{1}', 'signed with the first secret');
SELECT is((SELECT d.attempts FROM platform.webhook_deliveries AS d), 1, 'it counts before it is made');
SELECT is((SELECT b.message_id FROM platform.begin_delivery(:task_id, :attempt) AS b), :'message_id', 'the same content has the same id');
SELECT throws_ok(format('SELECT * FROM platform.begin_delivery(%s, %s)', :task_id, :attempt + 1), 'GM409', NULL, 'another attempt learns nothing');
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{}') \gset
SELECT throws_ok(format('SELECT * FROM platform.begin_delivery(%s, %s)', :task_id, :attempt), 'GM409', NULL, 'nor does one that has ended');
SELECT ok(has_function_privilege('geomill_worker', 'platform.begin_delivery(bigint, integer)', 'EXECUTE'), 'workers ask for it');
SELECT ok(NOT has_function_privilege('geomill_client', 'platform.begin_delivery(bigint, integer)', 'EXECUTE'), 'clients do not');
SELECT * FROM finish();
ROLLBACK;
