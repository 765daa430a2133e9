BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', client_request_id => 'ticket 7') AS row \gset
SELECT (:'row'::jsonb) ->> 'request_id' AS id \gset
SELECT is(:'row'::jsonb - 'request_id' - 'status_url', '{"status": "pending", "created": true, "revision": 1, "warnings": []}', 'the row says so');
SELECT is((:'row'::jsonb) ->> 'status_url', '/platform/status/' || :'id', 'and where to look');
SELECT is(:'id', platform.request_id('hub', 'Base Map', 'roads', '1'), 'the id follows from client and identity');
SELECT is((SELECT array_agg(j.job_type::text ORDER BY j.sequence) FROM platform.request_jobs AS j), '{ingest_vector,stac_catalog_vectors}', 'its jobs are planned');
SELECT is((SELECT (j.job_type, j.status, j.correlation_id)::text FROM app.jobs AS j WHERE j.platform_request_id = :'id'),
          '(ingest_vector,pending,"ticket 7")', 'the first is submitted, with the client''s reference');
SELECT is(tests.open_tasks((SELECT j.job_id FROM platform.request_jobs AS j WHERE j.sequence = 1)), 1::bigint, 'and has its tasks');
SELECT is((SELECT j.parameters - ARRAY['request_id', 'revision'] @> '{"client_id": "hub", "client_role": "hub", "collection_prefix": "hub", "dataset_id": "Base Map",
          "table_name": "base_map_roads_1", "stac_item_id": "Base Map_roads_1", "stac_collection": "hub_vectors", "source_path": "/data/hub/roads.gpkg",
          "source_roots": ["/data/hub/"]}' FROM app.jobs AS j), true, 'it knows identity, names and source');
SELECT is((SELECT g.client_id::text FROM platform.geo_tables AS g WHERE g.table_name = 'base_map_roads_1'), 'hub', 'the table''s name is reserved');
SELECT is((SELECT (a.client_id, a.function_name, a.request_id)::text FROM app.api_requests AS a), format('(hub,submit_request,%s)', :'id'), 'the call is recorded');
SELECT * FROM finish();
ROLLBACK;
