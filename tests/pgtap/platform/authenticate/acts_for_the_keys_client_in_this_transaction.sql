BEGIN;
SELECT plan(12);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.given_gateway() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS mine \gset
SELECT tests.submitted('other') ->> 'request_id' AS theirs \gset
SELECT k.api_key AS hub_key, k.key_id FROM platform.create_api_key('hub', 'trusted') AS k \gset
SELECT k.api_key AS other_key FROM platform.create_api_key('other', 'internal') AS k \gset
SELECT is(tests.refusal('gate', 'SELECT * FROM platform.list_requests()') ->> 'sqlstate', 'GM401', 'a gateway without a key is nobody');
SELECT is(tests.ask('gate', format('SELECT platform.authenticate(%L)', :'hub_key')) ->> 'authenticate', 'hub', 'with one it is the key''s client');
SELECT is(tests.ask('gate', 'SELECT request_id FROM platform.list_requests()') ->> 'request_id', :'mine', 'sees what is that client''s');
SELECT is((SELECT count(*) FROM tests.ask('gate', 'SELECT request_id FROM platform.list_requests()')), 1::bigint, 'and nothing else');
SELECT is(tests.refusal('gate', format('SELECT platform.get_request_status(%L)', :'theirs')) ->> 'sqlstate', 'GM404', 'another''s request does not exist');
SELECT is(tests.ask('gate', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg')$$) ->> 'created', 'true', 'it submits for its client');
SELECT is((SELECT array_agg(DISTINCT a.key_id) FROM app.api_requests AS a WHERE a.key_id IS NOT NULL)::text, format('{%s}', :'key_id'), 'and its calls are recorded with the key');
SELECT is(tests.ask('gate', format('SELECT platform.authenticate(%L)', :'other_key')) ->> 'authenticate', 'other', 'another key replaces the first');
SELECT is(tests.ask('gate', 'SELECT request_id FROM platform.list_requests()') ->> 'request_id', :'theirs', 'in what it sees, too');
SELECT is(tests.ask('gate', $$SELECT platform.authenticate('gm_no')$$) ->> 'authenticate', NULL, 'a wrong one replaces it by nobody');
SELECT is(tests.refusal('gate', 'SELECT * FROM platform.list_requests()') ->> 'sqlstate', 'GM401', 'whom every call refuses');
SELECT is((SELECT (u.last_used_at IS NOT NULL)::text FROM platform.api_key_uses AS u WHERE u.key_id = :'key_id'), 'true', 'the use of a key is noted');
SELECT * FROM finish();
ROLLBACK;
