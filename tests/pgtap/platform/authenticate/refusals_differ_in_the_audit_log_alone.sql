BEGIN;
SELECT plan(11);
SELECT tests.given_client() \gset
SELECT tests.given_client('idle') \gset
SELECT tests.given_gateway() \gset
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
CREATE FUNCTION pg_temp.shown(key text, endpoint text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(a ->> 'authenticate', 'nobody') || ' ' || (tests.refusal('gate', 'SELECT * FROM platform.list_requests()') - 'hint')::text
      FROM tests.ask('gate', format('SELECT platform.authenticate(%L, %L)', key, endpoint)) AS a;
$$;
SELECT k.api_key AS key, k.key_prefix FROM platform.create_api_key('hub', 'internal', '{stac_search}') AS k \gset
SELECT k.api_key AS expired, k.key_id AS expired_id FROM platform.create_api_key('hub', 'admin', expires_at => app.clock() + interval '1 hour') AS k \gset
SELECT k.api_key AS revoked, k.key_id AS revoked_id FROM platform.create_api_key('hub', 'admin') AS k \gset
SELECT k.api_key AS idle FROM platform.create_api_key('idle', 'admin') AS k \gset
UPDATE platform.api_keys SET expires_at = app.clock() - interval '1 second' WHERE key_id = :expired_id;
UPDATE platform.clients SET is_active = false WHERE client_id = 'idle';
SELECT platform.revoke_api_key(:revoked_id, 'leaked') AS revoked_now \gset
SELECT pg_temp.shown('gm_0123456789ab_' || repeat('x', 43)) AS answer \gset
SELECT matches(:'answer'::text, '^nobody .*GM401', 'an unknown key is nobody');
SELECT is(pg_temp.shown(left(:'key', 50) || repeat('x', 9)), :'answer'::text, 'a wrong secret is the same, word for word');
SELECT is(pg_temp.shown(:'expired'), :'answer'::text, 'so is an expired key');
SELECT is(pg_temp.shown(:'revoked'), :'answer'::text, 'a revoked one');
SELECT is(pg_temp.shown(:'idle'), :'answer'::text, 'one of a client that is not active');
SELECT is(pg_temp.shown(:'key', 'submit_request'), :'answer'::text, 'one that may not call what it is shown for');
SELECT is(pg_temp.shown(NULL), :'answer'::text, 'and none at all');
SELECT is((SELECT array_agg(e.event ORDER BY e.event_id) FROM platform.key_events AS e WHERE e.event LIKE 'refused%')::text,
          '{refused_unknown,refused_wrong_secret,refused_expired,refused_revoked,refused_inactive_client,refused_out_of_scope,refused_unknown}', 'the audit log knows them apart');
SELECT is((SELECT (e.client_id, e.key_prefix, e.endpoint, e.login)::text FROM platform.key_events AS e WHERE e.event = 'refused_out_of_scope'),
          format('(hub,%s,submit_request,gate)', :'key_prefix'), 'and whose they were');
SELECT is(tests.ask('gate', format('SELECT platform.authenticate(%L)', :'key')) ->> 'authenticate', 'hub', 'the same key, shown for nothing in particular');
SELECT is(tests.refusal('gate', 'SELECT * FROM platform.list_requests()') - 'hint', (substr(:'answer', 8))::jsonb, 'is refused in the same words by what is out of its scope');
SELECT * FROM finish();
ROLLBACK;
