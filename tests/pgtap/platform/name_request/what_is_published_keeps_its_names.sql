BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.completed(:'id'), 'completed', 'a request has published');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/roads.gpkg', processing_config => '{"overwrite": true, "table_name": "elsewhere", "stac_collection": "maps"}')$$),
          '{processing_config.stac_collection ALREADY_PUBLISHED,processing_config.table_name ALREADY_PUBLISHED}', 'its table and its collection stay');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/roads.tif', processing_config => '{"overwrite": true}')$$), '{request_type ALREADY_PUBLISHED}', 'and so does its type');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/new.gpkg', processing_config => '{"overwrite": true, "table_name": "base_map_roads_1"}')$$), NULL, 'the same name, said aloud, is the same');
SELECT tests.ask('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg')$$) ->> 'request_id' AS failed \gset
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L)', :'failed')) #>> '{cancel_request,status}', 'cancelled', 'one that has not published');
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x.tif', processing_config => '{"overwrite": true}')$$) ->> 'revision', '2', 'may become what it will');
SELECT * FROM finish();
ROLLBACK;
