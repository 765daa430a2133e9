BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT tests.given_gateway() \gset
SELECT k.api_key AS key, k.key_id FROM platform.create_api_key('hub', 'internal') AS k \gset
SELECT is(tests.ask('gate', format('SELECT platform.authenticate(%L)', :'key')) ->> 'authenticate', 'hub', 'a key is shown');
SELECT is(platform.revoke_api_key(:key_id, 'leaked'), true, 'and revoked');
SELECT is(tests.refusal('gate', 'SELECT * FROM platform.list_requests()') ->> 'sqlstate', 'GM401', 'it opens nothing more, in this transaction either');
SELECT is(platform.revoke_api_key(:key_id), false, 'revoking twice is revoking once');
SELECT throws_ok(format('SELECT platform.rotate_api_key(%s)', :key_id), 'GM409', NULL, 'and nothing follows it');
SELECT throws_ok('SELECT platform.revoke_api_key(0)', 'GM404', NULL, 'what is not there is not revoked');
SELECT * FROM finish();
ROLLBACK;
