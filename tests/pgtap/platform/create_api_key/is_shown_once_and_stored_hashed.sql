BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
SELECT tests.ask('boss', $$SELECT * FROM platform.create_api_key('hub', 'trusted', '{submit_request,get_request_status}', now() + interval '1 year')$$) AS made \gset
SELECT matches((:'made'::jsonb) ->> 'api_key', '^gm_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$', 'a key has a prefix and a secret');
SELECT is(left((:'made'::jsonb) ->> 'api_key', 15), (:'made'::jsonb) ->> 'key_prefix', 'and is recognised by how it begins');
SELECT is((SELECT k.api_key_hash::text FROM platform.api_keys AS k), encode(sha256(convert_to((:'made'::jsonb) ->> 'api_key', 'UTF8')), 'hex'), 'its SHA-256 is stored');
SELECT is((SELECT count(*) FROM platform.api_keys AS k, platform.key_events AS e WHERE strpos(k::text || e::text, substr((:'made'::jsonb) ->> 'api_key', 17)) > 0), 0::bigint, 'and nothing else of it');
SELECT is((SELECT (e.event, e.client_id, e.login)::text FROM platform.key_events AS e), '(created,hub,boss)', 'who made it is in the audit log');
SELECT is(tests.ask('boss', 'SELECT * FROM platform.list_api_keys()') - ARRAY['key_id', 'key_prefix', 'created_at', 'expires_at'],
          '{"client_id": "hub", "state": "active", "access_level": "trusted", "allowed_endpoints": ["submit_request", "get_request_status"], "replaced_by": null, "last_used_at": null, "revoked_at": null}', 'administrators list it');
SELECT is(tests.refused('boss', $$SELECT platform.create_api_key('hub', 'trusted', '{unpublish_request,health}', now() - interval '1 day')$$),
          '{allowed_endpoints NOT_ALLOWED,allowed_endpoints NOT_ALLOWED,expires_at OUT_OF_RANGE}', 'what its level cannot call it is not given');
SELECT is(tests.refused('boss', $$SELECT platform.create_api_key('hub', 'root', '{}')$$), '{access_level NOT_ALLOWED}', 'there are three levels');
SELECT is(tests.refusal('boss', $$SELECT platform.create_api_key('nobody', 'admin')$$) ->> 'sqlstate', 'GM404', 'and a client must be there');
SELECT * FROM finish();
ROLLBACK;
