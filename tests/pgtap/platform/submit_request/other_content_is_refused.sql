BEGIN;
SELECT plan(5);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.refusal('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/other.gpkg')$$) AS refusal \gset
SELECT is((:'refusal'::jsonb) ->> 'sqlstate', 'GM409', 'as a conflict');
SELECT matches((:'refusal'::jsonb) ->> 'message', :'id', 'that names the request');
SELECT matches((:'refusal'::jsonb) ->> 'hint', 'overwrite', 'and the way out');
SELECT is((SELECT r.source_path FROM platform.requests AS r)::text, '/data/hub/roads.gpkg', 'which stays as it was');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/roads.tif')$$), '{version_id REQUEST_EXISTS}', 'another type is other content too');
SELECT * FROM finish();
ROLLBACK;
