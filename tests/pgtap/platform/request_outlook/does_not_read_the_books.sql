BEGIN;
SELECT plan(2);
SELECT tests.given_client() \gset
SET LOCAL session_replication_role = replica;
INSERT INTO platform.requests (request_id, client_id, dataset_id, resource_id, version_id, request_type, source_path, stac_item_id, stac_collection, content_hash, status, correlation_id, started_at)
SELECT md5(n::text), 'hub', 'old', n::text, '1', 'raster', '/data/hub/x.tif', 'old_' || n, 'hub_rasters', repeat('0', 64), 'completed', n::text, now() FROM generate_series(1, 5000) AS n;
INSERT INTO platform.outcomes (client_id, request_id, revision, request_type, status, seconds, ended_at) SELECT 'another', md5(n::text), 1, 'raster', 'completed', 1, now() FROM generate_series(1, 5000) AS n;
SET LOCAL session_replication_role = origin;
ANALYZE platform.requests;
ANALYZE platform.outcomes;
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
CREATE FUNCTION pg_temp.read_in_vain() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(s.seq_tup_read + s.idx_tup_fetch) FROM pg_stat_xact_user_tables AS s WHERE s.schemaname = 'platform' AND s.relname IN ('requests', 'outcomes') $$;
SELECT pg_temp.read_in_vain() AS before \gset
SELECT isnt(tests.status('hub', :'id') -> 'outlook', 'null', 'a request that waits has an outlook');
SELECT cmp_ok(pg_temp.read_in_vain() - :before, '<', 100::bigint, 'found without reading those that are done, or those of others');
SELECT * FROM finish();
ROLLBACK;
