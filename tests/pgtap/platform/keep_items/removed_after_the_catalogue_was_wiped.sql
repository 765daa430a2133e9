BEGIN;
SELECT plan(4);
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"title": "as it was"}'));
SELECT app.stac_ensure_collection(tests.stac_collection('own', '{"geomill:request_id": "mine", "geomill:revision": 1}'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a', request => 'mine'), tests.stac_item('c', 'b', request => 'discarded'), tests.stac_item('c', 'x', request => 'yours'),
                                               tests.stac_item('own', 'a', request => 'mine')));
DELETE FROM pgstac.items;
SELECT pgstac.delete_collection(id) FROM pgstac.collections;

SELECT is(app.stac_withdraw('mine', 1, 'c', 'a')::text, '(0,{},{})', 'nothing is there to be taken back');
SELECT app.stac_discard_items('discarded', 1, '{}');
SELECT is((SELECT array_agg(p.collection || '/' || p.item_id) FROM platform.published_items AS p), '{c/x}', 'yet nothing of it stays kept');
SELECT is((SELECT array_agg(p.collection) FROM platform.published_collections AS p WHERE p.collection IN ('c', 'own')), '{c}', 'nor its collection');
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"title": "anew"}'));
SELECT is((SELECT c.content ->> 'title' FROM pgstac.collections AS c), 'as it was', 'a collection that is wanted again comes as it was');
SELECT * FROM finish();
ROLLBACK;
