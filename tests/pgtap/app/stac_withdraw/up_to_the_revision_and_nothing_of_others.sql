BEGIN;
SELECT plan(8);
SELECT tests.given_workflow('cataloguing', '[{}]');
SELECT app.submit_job('cataloguing', '{"stac_collection": "old", "stac_item_id": "a"}', 0, 'mine', 1) AS job \gset
SELECT app.stac_ensure_collection(tests.stac_collection('old'));
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"geomill:request_id": "mine", "geomill:revision": 2}'));
SELECT app.stac_ensure_collection(tests.stac_collection('shared', '{"geomill:request_id": "mine", "geomill:revision": 2}'));
SELECT app.stac_ensure_collection(tests.stac_collection('later', '{"geomill:request_id": "mine", "geomill:revision": 3}'));
SELECT app.stac_upsert_items(jsonb_build_array(
    tests.stac_item('old', 'a', request => 'mine', revision => 1), tests.stac_item('old', 'b', request => 'mine', revision => 1),
    tests.stac_item('c', 'a', request => 'mine', revision => 2), tests.stac_item('c', 'a_member', request => 'mine', revision => 1),
    tests.stac_item('shared', 'x', request => 'yours', revision => 1)));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('later', 'a', request => 'mine', revision => 3)));

SELECT * FROM app.stac_withdraw('mine', 2, 'c', 'a') \gset
SELECT is(:items, 4, 'its items, wherever it published them');
SELECT is(:'collections'::text[], '{c}', 'and the collection of its own');
SELECT is(:'kept'::text[], '{shared}', 'but not where others'' items are');
SELECT is(tests.stac_ids('old'), '{}', 'under whatever name');
SELECT is(tests.stac_ids('shared'), '{x}', 'others'' items stay');
SELECT is(tests.stac_ids('later'), '{a}', 'and so does a later revision');
SELECT is((SELECT array_agg(c.id ORDER BY c.id) FROM pgstac.collections AS c WHERE c.id IN ('old', 'c', 'shared', 'later')), '{later,old,shared}', 'with its collection');
SELECT is(app.stac_withdraw('mine', 2, 'c', 'a')::text, '(0,{},{shared})', 'repeatable');
SELECT * FROM finish();
ROLLBACK;
