BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
GRANT geomill_api TO other;
SELECT is((SELECT count(*) FROM tests.ask('other', 'SELECT request_id FROM platform.requests')), 0::bigint, 'even with the API role''s rights another''s requests are not there');
SELECT is((SELECT count(*) FROM tests.ask('other', 'SELECT client_id FROM platform.clients')), 1::bigint, 'and only one client');
SELECT is((SELECT count(*) FROM tests.ask('other', 'SELECT table_name FROM platform.geo_tables')), 0::bigint, 'nor are the names of their tables');
SELECT tests.refusal('other', $$UPDATE platform.requests SET status_message = 'mine'$$) AS refusal \gset
SELECT is((SELECT r.status_message FROM platform.requests AS r WHERE r.request_id = :'id'), 'waiting for a worker', 'and cannot be changed');
SELECT * FROM finish();
ROLLBACK;
