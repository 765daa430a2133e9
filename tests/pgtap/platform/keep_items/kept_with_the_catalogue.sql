BEGIN;
SELECT plan(12);
CREATE FUNCTION pg_temp.kept() RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(p.collection || '/' || p.item_id ORDER BY p.collection, p.item_id), '{}') FROM platform.published_items AS p;
$$;
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"title": "the first"}'));
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"title": "not the first"}'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a', request => 'mine', revision => 1), tests.stac_item('c', 'b', request => 'mine', revision => 1),
                                               tests.stac_item('c', 'x', request => 'yours', revision => 1)));
SELECT is(pg_temp.kept(), '{c/a,c/b,c/x}', 'each item that is published');
SELECT is((SELECT p.document ->> 'title' FROM platform.published_collections AS p WHERE p.collection = 'c'), 'the first', 'and its collection, as it was made');
SELECT is((SELECT (p.request_id, p.revision)::text FROM platform.published_items AS p WHERE p.item_id = 'a'), '(mine,1)', 'with what it says of its request');
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a', '{2,2,3,3}', 'mine', 2)));
SELECT is((SELECT (p.revision, p.document -> 'bbox')::text FROM platform.published_items AS p WHERE p.item_id = 'a'), '(2,"[2, 2, 3, 3]")', 'the latest counts');
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'odd') #- '{properties,geomill:request_id}' || '{"x": 1}', tests.stac_item('c', 'odder', revision => 1)
                             || jsonb_build_object('properties', '{"datetime": "2024-01-01T00:00:00Z", "geomill:revision": "1; DROP TABLE"}'::jsonb)));
SELECT is((SELECT count(*) FROM platform.published_items AS p WHERE p.item_id IN ('odd', 'odder') AND p.request_id IS NULL), 2::bigint, 'one that is of no request, too');

SELECT app.stac_retire_items('c', 'mine', '{a}');
SELECT is(pg_temp.kept(), '{c/a,c/odd,c/odder,c/x}', 'what is retired is not kept');
SELECT app.stac_delete_items('c', '{odd,odder}');
SELECT is(pg_temp.kept(), '{c/a,c/x}', 'nor what is deleted');
SELECT app.stac_discard_items('mine', 2, '{}');
SELECT is(pg_temp.kept(), '{c/x}', 'nor what is discarded, whether or not its jobs are still known');
SELECT is(tests.stac_ids('c'), '{x}', 'as in the catalogue');

SELECT app.stac_ensure_collection(tests.stac_collection('own', '{"geomill:request_id": "mine", "geomill:revision": 3}'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('own', 'a', request => 'mine', revision => 3)));
SELECT app.stac_withdraw('mine', 3, 'own', 'a');
SELECT is(pg_temp.kept(), '{c/x}', 'nor what is withdrawn');
SELECT is((SELECT array_agg(p.collection) FROM platform.published_collections AS p WHERE p.collection IN ('c', 'own')), '{c}', 'with its collection');
SELECT app.stac_upsert_collection(tests.stac_collection('c', '{"title": "another"}'));
SELECT is((SELECT p.document ->> 'title' FROM platform.published_collections AS p WHERE p.collection = 'c'), 'another', 'a collection that is replaced is kept as it is now');
SELECT * FROM finish();
ROLLBACK;
