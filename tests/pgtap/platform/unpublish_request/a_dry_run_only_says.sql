BEGIN;
SELECT plan(10);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT app.stac_ensure_collection(tests.stac_collection('hub_vectors'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('hub_vectors', r.stac_item_id, request => r.request_id))) FROM platform.requests AS r;
CREATE TABLE geo.base_map_roads_1 ();
SELECT format('COMMENT ON TABLE geo.base_map_roads_1 IS %L', format(E'Roads\n\ngeomill: client=hub request=%s revision=1 job=j first', :'id')) \gexec

SELECT tests.unpublish('hub', :'id') AS said \gset
SELECT is(ARRAY(SELECT jsonb_object_keys(:'said'::jsonb) ORDER BY 1), '{dry_run,files,job,message,request_id,request_type,revision,stac_collection,stac_items,status,table,tables,warnings}', 'the keys');
SELECT is((:'said'::jsonb) -> 'dry_run', 'true', 'by default it is a dry run');
SELECT is((:'said'::jsonb) ->> 'table', 'geo.base_map_roads_1', 'the table');
SELECT is((:'said'::jsonb) -> 'stac_items', '["/collections/hub_vectors/items/Base Map_roads_1"]', 'the item');
SELECT is((:'said'::jsonb) -> 'stac_collection', 'null', 'but not the collection, which is everybody''s');
SELECT is((:'said'::jsonb) -> 'files', '{"hrefs": [], "storage_prefix": null}', 'there are no files');
SELECT is((:'said'::jsonb) -> 'job', 'null', 'no job');
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.job_type LIKE 'unpublish%'), 0::bigint, 'was started');
SELECT is(tests.status('hub', :'id') ->> 'status', 'completed', 'and the request is what it was');
SELECT format('COMMENT ON TABLE geo.base_map_roads_1 IS %L', 'Roads of a stranger') \gexec
SELECT is(tests.unpublish('hub', :'id') -> 'table', 'null', 'a table without its mark is not the request''s');
SELECT * FROM finish();
ROLLBACK;
