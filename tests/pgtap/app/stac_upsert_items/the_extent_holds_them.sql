BEGIN;
SELECT plan(4);
SELECT app.stac_ensure_collection(tests.stac_collection('c'));

SELECT is(app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a'))), 1, 'how many');
SELECT is(tests.stac_box('c'), '[0, 0, 1, 1]', 'the first replaces the placeholder');
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'b', '{5,5,6,7}')));
SELECT is(tests.stac_box('c'), '[0, 0, 6, 7]', 'the next widens it');
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'b', '{2,2,3,3}')));
SELECT is(tests.stac_box('c'), '[0, 0, 3, 3]', 'one that moves narrows it');
SELECT * FROM finish();
ROLLBACK;
