BEGIN;
SELECT plan(7);
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"geomill:request_id": "mine", "geomill:revision": 2}'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a', request => 'yours')));

SELECT is(tests.detail_of($$SELECT app.stac_delete_collection('c', 'mine', 2)$$) ->> 'code', 'COLLECTION_NOT_EMPTY', 'another''s item is in it');
SELECT is(tests.stac_ids('c'), '{a}', 'and stays');
SELECT app.stac_delete_items('c', '{a}');
SELECT is(app.stac_delete_collection('c', 'yours', 2), false, 'it is not another request''s to delete');
SELECT is(app.stac_delete_collection('c', 'mine', 1), false, 'nor an earlier revision''s');
SELECT is(app.stac_delete_collection('c', 'mine', 2), true, 'its own it is');
SELECT is((SELECT count(*) FROM pgstac.collections WHERE id = 'c'), 0::bigint, 'it is gone');
SELECT is(app.stac_delete_collection('c', 'mine', 2), false, 'repeatable');
SELECT * FROM finish();
ROLLBACK;
