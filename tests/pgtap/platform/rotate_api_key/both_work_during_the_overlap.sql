BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.given_gateway() \gset
CREATE FUNCTION pg_temp.shown(key text) RETURNS text LANGUAGE sql AS $$ SELECT tests.ask('gate', format('SELECT platform.authenticate(%L)', key)) ->> 'authenticate' $$;
SELECT k.api_key AS old, k.key_id FROM platform.create_api_key('hub', 'trusted', '{submit_request}', app.clock() + interval '100 days') AS k \gset
SELECT r.api_key AS new, r.new_key_id, r.key_expires_at, r.old_expires_at FROM platform.rotate_api_key(:key_id, interval '2 hours') AS r \gset
SELECT is(pg_temp.shown(:'old'), 'hub', 'the old key works');
SELECT is(pg_temp.shown(:'new'), 'hub', 'so does the new one');
SELECT is((SELECT (k.access_level, k.allowed_endpoints)::text FROM platform.api_keys AS k WHERE k.key_id = :new_key_id), '(trusted,"[""submit_request""]")', 'with the same scope');
SELECT ok(:'key_expires_at'::timestamptz BETWEEN app.clock() + interval '99 days' AND app.clock() + interval '101 days', 'and as long a life');
SELECT throws_ok(format('SELECT platform.rotate_api_key(%s)', :key_id), 'GM409', NULL, 'a key has one successor');
SELECT tests.move_clock(interval '3 hours') \gset
SELECT is(pg_temp.shown(:'old'), NULL, 'after the overlap the old key opens nothing');
SELECT is(pg_temp.shown(:'new'), 'hub', 'the new one does');
SELECT throws_ok(format('SELECT platform.rotate_api_key(%s, interval %L)', :new_key_id, '-1 day'), 'GM422', NULL, 'an overlap is not negative');
SELECT is((SELECT array_agg(e.event ORDER BY e.event_id) FROM platform.key_events AS e)::text, '{created,rotated,refused_expired}', 'all of it is in the audit log');
SELECT * FROM finish();
ROLLBACK;
