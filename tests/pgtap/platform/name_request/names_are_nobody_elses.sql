BEGIN;
SELECT plan(12);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.submitted('other') ->> 'request_id' AS others \gset
SELECT is((SELECT r.table_name FROM platform.requests AS r WHERE r.request_id = :'others')::text, 'base_map_roads_1_' || left(:'others', 8), 'a default that another client has takes a suffix');
SELECT is((SELECT r.stac_collection FROM platform.requests AS r WHERE r.request_id = :'others')::text, 'other_vectors', 'collections are each client''s own');
SELECT tests.refusal('other', $$SELECT platform.submit_request('d', 'r', 'v', '/data/other/x.gpkg', processing_config => '{"table_name": "base_map_roads_1"}')$$) AS refusal \gset
SELECT is((:'refusal'::jsonb) ->> 'sqlstate', 'GM409', 'a name that is asked for is refused');
SELECT doesnt_match(:'refusal'::text, format('%s|hub', :'id'), 'without a word on whose it is');
SELECT matches(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg', processing_config => '{"table_name": "base_map_roads_1"}')$$) ->> 'message', :'id', 'unless it is the client''s own');
CREATE TABLE geo.legacy (id integer);
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg', processing_config => '{"table_name": "legacy"}')$$), '{processing_config.table_name TABLE_NAME_TAKEN}', 'a stranger''s table is taken too');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg', processing_config => '{"table_name": "_load_x"}')$$), '{processing_config.table_name TABLE_NAME_RESERVED}', 'so are geomill''s own');
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('legacy', 'r', 'v', '/data/hub/x.gpkg', processing_config => '{"table_name": "mine", "stac_collection": "maps"}')$$) ->> 'created', 'true', 'what is free is given');
SELECT is((SELECT (r.table_name, r.stac_collection)::text FROM platform.requests AS r WHERE r.dataset_id = 'legacy'), '(mine,hub_maps)', 'as it was asked for');
SELECT tests.ask('hub', $$SELECT * FROM platform.submit_request('a_b', 'c', '1', '/data/hub/x.gpkg')$$) ->> 'request_id' AS first \gset
SELECT tests.ask('hub', $$SELECT * FROM platform.submit_request('a', 'b_c', '1', '/data/hub/x.gpkg')$$) ->> 'request_id' AS second \gset
SELECT is((SELECT (r.stac_item_id, r.table_name)::text FROM platform.requests AS r WHERE r.request_id = :'first'), '(a_b_c_1,a_b_c_1)', 'two identities that spell one name');
SELECT is((SELECT (r.stac_item_id, r.table_name)::text FROM platform.requests AS r WHERE r.request_id = :'second'), format('(a_b_c_1_%1$s,a_b_c_1_%1$s)', left(:'second', 8)), 'have two');
SELECT is((SELECT count(*) FROM platform.geo_tables), 5::bigint, 'each table is reserved once');
SELECT * FROM finish();
ROLLBACK;
