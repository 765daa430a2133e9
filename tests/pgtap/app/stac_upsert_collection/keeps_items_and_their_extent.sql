BEGIN;
SELECT plan(3);
SELECT app.stac_upsert_collection(tests.stac_collection('c', '{"title": "first"}'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a', '{5,45,7,46}')));
SELECT app.stac_upsert_collection(tests.stac_collection('c', '{"title": "second"}'));

SELECT is((SELECT content ->> 'title' FROM pgstac.collections WHERE id = 'c'), 'second', 'replaced');
SELECT is(tests.stac_ids('c'), '{a}', 'its items stay');
SELECT is(tests.stac_box('c'), '[5, 45, 7, 46]', 'and so does their extent');
SELECT * FROM finish();
ROLLBACK;
