BEGIN;
SELECT plan(4);
SELECT app.stac_ensure_collection(tests.stac_collection('c'));

SELECT throws_ok($$SELECT app.stac_upsert_items('{}')$$, 'GM422', 'items is no JSON array', 'an object');
SELECT throws_ok($$SELECT app.stac_upsert_items('[{"id": "a"}]')$$, 'GM422', 'an item has no id or no collection', 'without a collection');
SELECT throws_ok($$SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'a'), tests.stac_item('c', 'a')))$$,
                 'GM422', 'item a of collection c is given 2 times', 'pgstac would drop one in silence');
SELECT throws_ok($$SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('d', 'a')))$$, 'GM404', 'there is no STAC collection d', 'no such collection');
SELECT * FROM finish();
ROLLBACK;
