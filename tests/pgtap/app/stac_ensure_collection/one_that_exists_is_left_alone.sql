BEGIN;
SELECT plan(3);

SELECT is(app.stac_ensure_collection(tests.stac_collection('c', '{"title": "first"}')), true, 'made');
SELECT is(app.stac_ensure_collection(tests.stac_collection('c', '{"title": "second"}')), false, 'there');
SELECT is((SELECT content ->> 'title' FROM pgstac.collections WHERE id = 'c'), 'first', 'as it was');
SELECT * FROM finish();
ROLLBACK;
