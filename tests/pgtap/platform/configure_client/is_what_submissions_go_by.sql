BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', 'before') ->> 'request_id' AS before \gset
SELECT platform.configure_client('hub', '{"priority": -5, "vector_collection": "layers", "raster_collection": "scenes", "allowed_request_types": ["vector", "collection"]}') \gset
SELECT tests.submitted('hub', 'after') ->> 'request_id' AS after \gset
SELECT is((SELECT r.stac_collection::text FROM platform.requests AS r WHERE r.request_id = :'after'), 'hub_layers', 'a new request goes to the default collection');
SELECT is((SELECT r.processing_config ->> 'priority' FROM platform.requests AS r WHERE r.request_id = :'after'), '-5', 'with the client''s priority');
SELECT is(tests.submitted('hub', 'before') ->> 'created', 'false', 'what was there is the same request');
SELECT is((SELECT r.stac_collection::text FROM platform.requests AS r WHERE r.request_id = :'before'), 'hub_vectors', 'where it was');
SELECT tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.tif')$$) AS refusal \gset
SELECT is((:'refusal'::jsonb) ->> 'sqlstate', 'GM403', 'another type of request is refused');
SELECT is((:'refusal'::jsonb) #>> '{problems,0,code}', 'REQUEST_TYPE_NOT_ALLOWED', 'by its name');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/s/', 'collection', '{"stac_collection": "scenes"}')$$), '{processing_config.stac_collection COLLECTION_TAKEN}', 'a shared collection is no collection request''s own');
SELECT platform.configure_client('hub', '{"is_active": false}') \gset
SELECT is(tests.refusal('hub', 'SELECT * FROM platform.list_requests()') ->> 'sqlstate', 'GM401', 'a client that is not active is refused');
SELECT * FROM finish();
ROLLBACK;
