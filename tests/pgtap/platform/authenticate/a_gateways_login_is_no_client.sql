BEGIN;
SELECT plan(5);
SELECT tests.given_client() \gset
SELECT tests.given_gateway() \gset
SELECT throws_ok($$SELECT platform.create_client('gate', 'gate', 'gate', 'A gateway')$$, 'GM422', NULL, 'a gateway''s login cannot be made a client');
GRANT geomill_gateway TO hub;
SELECT is(tests.refusal('hub', 'SELECT * FROM platform.list_requests()') ->> 'sqlstate', 'GM401', 'a client''s login that becomes a gateway''s is no client any more');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg')$$) ->> 'sqlstate', 'GM401', 'for anything');
REVOKE geomill_gateway FROM hub;
SELECT is(tests.refusal('hub', 'SELECT * FROM platform.list_requests()'), NULL, 'until it is not');
SELECT is(tests.refusal('hub', $$SELECT platform.authenticate('x')$$) ->> 'sqlstate', '42501', 'clients show no keys');
SELECT * FROM finish();
ROLLBACK;
