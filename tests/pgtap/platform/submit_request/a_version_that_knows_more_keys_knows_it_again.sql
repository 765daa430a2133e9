BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.ask('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x.tif')$$) ->> 'request_id' AS id \gset
-- As a version had stored it that did not know tier and quality.
UPDATE platform.requests AS r SET processing_config = r.processing_config - 'tier' - 'quality',
       content_hash = platform.content_hash(r.request_type, r.source_path, r.processing_config - 'tier' - 'quality') WHERE r.request_id = :'id';
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x.tif')$$) ->> 'created', 'false', 'the same request');
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x.tif', processing_config => '{"tier": "analysis"}')$$) ->> 'request_id', :'id', 'with defaults written out, too');
SELECT is(tests.refused('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x.tif', processing_config => '{"tier": "archive"}')$$), '{version_id REQUEST_EXISTS}', 'but with another value it is another');
SELECT * FROM finish();
ROLLBACK;
