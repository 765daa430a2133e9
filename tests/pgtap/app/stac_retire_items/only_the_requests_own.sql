BEGIN;
SELECT plan(3);
SELECT app.stac_ensure_collection(tests.stac_collection('c'));
SELECT app.stac_upsert_items(jsonb_build_array(
    tests.stac_item('c', 'old', request => 'mine'), tests.stac_item('c', 'kept', request => 'mine'), tests.stac_item('c', 'other', request => 'yours')));

SELECT is(app.stac_retire_items('c', 'mine', '{kept}'), 1, 'one');
SELECT is(tests.stac_ids('c'), '{kept,other}', 'the others stay');
SELECT is(app.stac_retire_items('c', 'mine', '{kept}'), 0, 'repeatable');
SELECT * FROM finish();
ROLLBACK;
