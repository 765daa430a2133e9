BEGIN;
SELECT plan(5);
SELECT tests.given_client() \gset
CREATE ROLE somebody LOGIN IN ROLE geomill_client;
CREATE ROLE stranger LOGIN;
SELECT is(tests.refusal('somebody', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg')$$) ->> 'sqlstate', 'GM401', 'a login without a client is nobody');
SELECT is(tests.refusal('stranger', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg')$$) ->> 'sqlstate', '42501', 'a login outside the group may not even ask');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg')$$), NULL, 'a client may');
UPDATE platform.clients SET is_active = false WHERE client_id = 'hub';
SELECT is(tests.refusal('hub', $$SELECT platform.get_request_status('x')$$) ->> 'sqlstate', 'GM401', 'until it is no longer active');
SELECT is(tests.refusal('hub', $$SELECT platform.list_requests()$$) ->> 'sqlstate', 'GM401', 'whatever it asks');
SELECT * FROM finish();
ROLLBACK;
