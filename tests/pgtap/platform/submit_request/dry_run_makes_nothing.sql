BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', dry_run => true) AS row \gset
SELECT is(:'row'::jsonb - 'warnings' - 'status_url', jsonb_build_object('request_id', platform.request_id('hub', 'Base Map', 'roads', '1'), 'status', 'pending', 'created', false, 'revision', 1), 'it says what would be');
SELECT is((:'row'::jsonb) #> '{warnings,0,would_use}', '{"table": "geo.base_map_roads_1", "stac_item": "Base Map_roads_1", "stac_collection": "hub_vectors", "request_type": "vector"}', 'and which names it would use');
SELECT is((SELECT count(*) FROM platform.requests) + (SELECT count(*) FROM app.jobs) + (SELECT count(*) FROM platform.geo_tables), 0::bigint, 'and makes nothing');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/etc/passwd', 'vector', dry_run => true)$$), '{source_path SOURCE_OUTSIDE_ROOTS}', 'what is wrong is refused');
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.submitted('hub', dry_run => true) -> 'warnings', '[]', 'the same content would be the same request');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/x.gpkg', dry_run => true)$$), '{version_id REQUEST_EXISTS}', 'other content would be refused');
SELECT is(tests.completed(:'id'), 'completed', 'once it is done');
SELECT is(tests.submitted('hub', file => 'x.gpkg', config => '{"overwrite": true}', dry_run => true) -> 'revision', '2', 'overwrite would make a revision');
SELECT * FROM finish();
ROLLBACK;
