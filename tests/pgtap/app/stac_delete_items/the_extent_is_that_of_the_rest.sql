BEGIN;
SELECT plan(5);
SELECT app.stac_ensure_collection(tests.stac_collection('c'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a'), tests.stac_item('c', 'b', '{5,5,6,7}')));

SELECT is(app.stac_delete_items('c', '{a,unknown}'), 1, 'what was there');
SELECT is(tests.stac_box('c'), '[5, 5, 6, 7]', 'of the rest');
SELECT is(app.stac_delete_items('c', '{a}'), 0, 'repeatable');
SELECT is(app.stac_delete_items('c', '{b}'), 1, 'the last one');
SELECT is(tests.stac_box('c'), '[5, 5, 6, 7]', 'an empty collection keeps its extent');
SELECT * FROM finish();
ROLLBACK;
