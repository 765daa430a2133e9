BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT is(tests.completed(:'id'), 'completed', 'both jobs are done');
SELECT tests.status('hub', :'id') AS status \gset
SELECT is((:'status'::jsonb) -> 'endpoints', '{"table": "geo.t", "stac_item": "/collections/c/items/i"}', 'endpoints of both jobs');
SELECT is((:'status'::jsonb) -> 'stac_metadata', '{"id": "i"}', 'the item');
SELECT is((:'status'::jsonb) #>> '{warnings,0,code}', 'W', 'warnings');
SELECT is((:'status'::jsonb) -> 'progress_percent', '100', 'progress is 100');
SELECT is((SELECT r.processing_metadata FROM platform.requests AS r), '{"vector": {"rows": 3}, "chunks": [{"first": 0}]}', 'what else was reported is kept');
SELECT is((SELECT r.published_revision FROM platform.requests AS r), 1, 'the revision is published');
SELECT is((SELECT array_agg(k ORDER BY k COLLATE "C") FROM platform.webhook_deliveries AS d, jsonb_object_keys(d.payload) AS k),
          '{dataset_id,endpoints,error,processing_time_seconds,request_id,resource_id,revision,stac_metadata,status,version_id}', 'the payload has its keys');
SELECT is((:'status'::jsonb) ->> 'callback_status', 'pending', 'and the call is owed');
SELECT * FROM finish();
ROLLBACK;
