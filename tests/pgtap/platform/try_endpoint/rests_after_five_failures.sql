BEGIN;
SELECT plan(14);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
CREATE FUNCTION pg_temp.rests(client text DEFAULT 'hub') RETURNS integer LANGUAGE sql AS $$ SELECT round(extract(epoch FROM platform.try_endpoint(client, 'hub.example.org') - app.clock()))::integer $$;
CREATE FUNCTION pg_temp.fails(times integer) RETURNS void LANGUAGE sql AS $$ SELECT platform.endpoint_answered('hub', 'hub.example.org', 'no answer') FROM generate_series(1, times) $$;
SELECT is(platform.endpoint_of('https://HUB.example.org:8443/hooks?x=1'), 'hub.example.org:8443', 'an endpoint is host and port');
SELECT pg_temp.fails(4);
SELECT is(pg_temp.rests(), NULL, 'four failures are no reason');
SELECT pg_temp.fails(1);
SELECT is(pg_temp.rests(), 30, 'five are');
SELECT is(pg_temp.rests('other'), NULL, 'for that client, and no other');
SELECT tests.move_clock(interval '31 seconds');
SELECT is(pg_temp.rests(), NULL, 'then one call tries it');
SELECT is(pg_temp.rests(), 120, 'and one only');
SELECT pg_temp.fails(1);
SELECT is(pg_temp.rests(), 60, 'if that fails it rests twice as long');
SELECT pg_temp.fails(20);
SELECT is(pg_temp.rests(), 600, 'ten minutes at most');
SELECT platform.endpoint_answered('hub', 'hub.example.org', NULL);
SELECT is(pg_temp.rests(), NULL, 'a call that goes through opens it');
SELECT is((SELECT (e.failures, e.rests_until IS NULL, e.last_error)::text FROM platform.webhook_endpoints AS e WHERE e.client_id = 'hub'), '(0,t,"no answer")', 'and what was wrong is still known');
SELECT e.last_success_at AS before FROM platform.webhook_endpoints AS e WHERE e.client_id = 'hub' \gset
SELECT platform.endpoint_answered('hub', 'hub.example.org', NULL);
SELECT is((SELECT e.last_success_at FROM platform.webhook_endpoints AS e WHERE e.client_id = 'hub'), :'before'::timestamptz, 'success upon success writes nothing');

SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT pg_temp.fails(5);
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT is((SELECT (b.body IS NULL, b.secrets IS NULL, b.rests_until > app.clock())::text FROM platform.begin_delivery_v2(:task_id, :attempt) AS b), '(t,t,t)', 'a delivery to it has nothing to send');
SELECT is((SELECT d.attempts FROM platform.webhook_deliveries AS d), 0, 'and counts no call');
SELECT platform.redeliver_webhook(d.delivery_id) AS job FROM platform.webhook_deliveries AS d \gset
SELECT is(pg_temp.rests(), NULL, 'whoever has it sent again has it tried');
SELECT * FROM finish();
ROLLBACK;
