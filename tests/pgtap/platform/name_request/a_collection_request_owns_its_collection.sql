BEGIN;
SELECT plan(5);
SELECT tests.given_client() \gset
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('a_b', 'c', '1', '/data/hub/x/', 'collection')$$) ->> 'created', 'true', 'one makes it');
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('a', 'b c', '1', '/data/hub/x/', 'collection')$$) ->> 'created', 'true', 'another of the same slug');
SELECT is((SELECT array_agg(r.stac_collection::text ORDER BY r.created_at) FROM platform.requests AS r), ARRAY['hub_a_b_c_1', 'hub_a_b_c_1_' || left(platform.request_id('hub', 'a', 'b c', '1'), 8)], 'makes its own');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('x', 'y', '1', '/data/hub/x/', 'collection', '{"stac_collection": "a_b_c_1"}')$$), '{processing_config.stac_collection COLLECTION_TAKEN}', 'and cannot ask for the other''s');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('x', 'y', '1', '/data/hub/x/', 'collection', '{"stac_collection": "rasters"}')$$), '{processing_config.stac_collection COLLECTION_TAKEN}', 'nor for the shared ones');
SELECT * FROM finish();
ROLLBACK;
