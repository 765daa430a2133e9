BEGIN;
SELECT plan(6);
CREATE FUNCTION pg_temp.catalogue() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('items', (SELECT jsonb_agg(pgstac.get_item(i.id, i.collection) ORDER BY i.collection, i.id) FROM pgstac.items AS i),
                              'collections', (SELECT jsonb_agg(c.content || jsonb_build_object('trunc', c.partition_trunc) ORDER BY c.id) FROM pgstac.collections AS c));
$$;
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"item_assets": {"data": {"type": "t", "roles": ["data"]}}}'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a'), tests.stac_item('c', 'b', '{5,5,6,7}')));
-- Others write as well, and past geomill.
SELECT pgstac.create_collection(tests.stac_collection('theirs'));
UPDATE pgstac.collections SET partition_trunc = 'year' WHERE id = 'theirs';
SELECT pgstac.upsert_items(jsonb_build_array(tests.stac_item('theirs', 'x') #- '{properties,geomill:request_id}', tests.stac_item('c', 'b', '{5,5,6,7}') || '{"assets": {}}'));
DROP TABLE tmpdata;
SELECT pg_temp.catalogue() AS before \gset

SELECT is(app.stac_keep()::text, '(2,2)', 'what was not kept as it is there');
SELECT is((app.stac_keep()).items, 0::bigint, 'and after that nothing is left to keep');
DELETE FROM pgstac.items;
SELECT pgstac.delete_collection(id) FROM pgstac.collections;
SELECT is((app.stac_keep()).items, 0::bigint, 'what is kept stays kept while the catalogue is empty');
SELECT is_empty($$SELECT r.* FROM platform.published_collections AS p CROSS JOIN app.stac_republish(p.collection) AS r$$, 'everything comes back');
SELECT is(pg_temp.catalogue(), :'before'::jsonb, 'as it was');
SELECT app.stac_republish('c');
SELECT is(pg_temp.catalogue(), :'before'::jsonb, 'repeatable');
SELECT * FROM finish();
ROLLBACK;
