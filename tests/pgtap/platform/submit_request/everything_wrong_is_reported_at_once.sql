BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('', repeat('r', 256), NULL, '/srv/hub/../x.gpkg', 'vectr', '{"titel": "x", "title": 5}', 'http://hub.example.org', E'a\tb')$$),
          '{callback_url CALLBACK_NOT_ALLOWED,client_request_id CONTROL_CHARACTER,dataset_id REQUIRED,processing_config.titel UNKNOWN_KEY,processing_config.title WRONG_TYPE,request_type NOT_ALLOWED,resource_id TOO_LONG,source_path SOURCE_NOT_CANONICAL,source_path SOURCE_OUTSIDE_ROOTS,version_id REQUIRED}',
          'each problem by its field');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/srv/x.gpkg', 'vectr')$$) ->> 'sqlstate', 'GM422', 'a mixture is GM422');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg', processing_config => '{"chunk_rows": "many", "layer": "", "on_reject": "ignore", "colour": 1}')$$),
          '{processing_config.chunk_rows WRONG_TYPE,processing_config.colour UNKNOWN_KEY,processing_config.layer TOO_SHORT,processing_config.on_reject NOT_ALLOWED}', 'a configuration key by key');
SELECT is((SELECT count(*) FROM platform.requests) + (SELECT count(*) FROM app.jobs) + (SELECT count(*) FROM platform.geo_tables), 0::bigint, 'and nothing was made');
SELECT * FROM finish();
ROLLBACK;
