BEGIN;
SELECT plan(8);
CREATE FUNCTION pg_temp.there() RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(c.id ORDER BY c.id) FROM pgstac.collections AS c WHERE c.id LIKE 'hub%';
$$;
SELECT tests.given_client('hub');
SELECT is(pg_temp.there(), '{hub_rasters,hub_vectors}', 'a new client has its collections');
SELECT is_empty($$SELECT app.stac_ensure_client_collections()$$, 'and then nothing is missing');

UPDATE pgstac.collections SET partition_trunc = 'year' WHERE id = 'hub_rasters';
UPDATE pgstac.collections SET content = content || '{"title": "by hand"}' WHERE id = 'hub_vectors';
SELECT app.stac_keep();
SELECT pgstac.delete_collection('hub_rasters');
SELECT results_eq($$SELECT app.stac_ensure_client_collections()$$, '{hub_rasters}'::text[], 'one that is missing is made');
SELECT is((SELECT c.partition_trunc FROM pgstac.collections AS c WHERE c.id = 'hub_rasters'), 'year', 'as it was');
SELECT is((SELECT c.content ->> 'title' FROM pgstac.collections AS c WHERE c.id = 'hub_vectors'), 'by hand', 'one that is there is left alone');

SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('hub_rasters', 'a', '{5,5,6,7}')));
SELECT is(tests.stac_box('hub_rasters'), '[5, 5, 6, 7]', 'its extent is that of its items, from the first one');

UPDATE platform.clients SET vector_collection = 'tables' WHERE client_id = 'hub';
SELECT results_eq($$SELECT app.stac_ensure_client_collections()$$, '{hub_tables}'::text[], 'under the name that the client was given');
SELECT is(pg_temp.there(), '{hub_rasters,hub_tables,hub_vectors}', 'beside the old one');
SELECT * FROM finish();
ROLLBACK;
