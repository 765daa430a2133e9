BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
-- As a version wrote it that had no modes.
UPDATE platform.requests AS r SET processing_config = r.processing_config - 'mode' - 'key_columns' - 'on_busy';
UPDATE platform.requests AS r SET content_hash = platform.content_hash(r.request_type, r.source_path, r.processing_config);
SELECT is(tests.submitted('hub') ->> 'request_id', :'id', 'the same request');
SELECT is(tests.submitted('hub') -> 'created', 'false', 'is not made again');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/roads.gpkg', processing_config => '{"mode": "append"}')$$),
          '{"version_id REQUEST_EXISTS"}', 'another mode is other content');
SELECT * FROM finish();
ROLLBACK;
