BEGIN;
SELECT plan(5);
SELECT tests.given_workflow('cataloguing', '[{}]');
SELECT app.submit_job('cataloguing', '{"stac_collection": "c", "stac_item_id": "a"}', 0, 'mine', 2) AS job \gset
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"geomill:request_id": "mine", "geomill:revision": 2}'));
SELECT app.stac_upsert_items(jsonb_build_array(
    tests.stac_item('c', 'a', request => 'mine', revision => 2), tests.stac_item('c', 'a_member', request => 'mine', revision => 2),
    tests.stac_item('c', 'a_replaced', request => 'mine', revision => 3), tests.stac_item('c', 'a_other', request => 'yours', revision => 2)));

SELECT is(app.stac_discard_items('mine', 2, ARRAY[:'job']), 2, 'its own');
SELECT is(tests.stac_ids('c'), '{a_other,a_replaced}', 'the others stay');
SELECT is(app.stac_discard_items('mine', 2, ARRAY[:'job']), 0, 'repeatable');

SELECT app.stac_delete_items('c', '{a_other,a_replaced}');
SELECT app.stac_discard_items('yours', 2, ARRAY[:'job']);
SELECT is((SELECT count(*) FROM pgstac.collections WHERE id = 'c'), 1::bigint, 'another request cannot take its collection away');
SELECT app.stac_discard_items('mine', 2, ARRAY[:'job']);
SELECT is((SELECT count(*) FROM pgstac.collections WHERE id = 'c'), 0::bigint, 'a collection of its own goes once it is empty');
SELECT * FROM finish();
ROLLBACK;
