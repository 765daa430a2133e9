BEGIN;
SELECT plan(6);
SELECT tests.given_client('hub') \gset
SELECT tests.submitted('hub', '1') ->> 'request_id' AS request \gset
SELECT tests.completed(:'request') \gset
SELECT app.stac_ensure_collection(tests.stac_collection('c'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'good', request => :'request'), tests.stac_item('c', 'bad', request => :'request'),
    tests.stac_item('c', 'later', request => :'request', revision => 2), tests.stac_item('c', 'orphan', request => 'gone')));
UPDATE platform.published_items SET document = document #- '{properties,datetime}' WHERE item_id = 'bad';
DELETE FROM pgstac.items;

SELECT results_eq($$SELECT item_id, request_id, reason <> '' FROM app.stac_republish('c') ORDER BY item_id$$,
                  format($$VALUES ('bad', %1$L, true), ('later', %1$L, true)$$, :'request'), 'one that pgstac refuses, and one whose revision never ended');
SELECT is(tests.stac_ids('c'), '{good,orphan}', 'the others come back');
SELECT is((SELECT count(*) FROM app.stac_republish('c')), 2::bigint, 'and it is said each time');

SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('c', 'never', request => tests.submitted('hub', '2') ->> 'request_id'))) \gset
DELETE FROM pgstac.items WHERE id = 'never';
SELECT app.stac_republish('c');
SELECT ok('never' = ANY (tests.stac_ids('c')), 'of a request that runs, what it has published so far comes back');
UPDATE platform.published_items SET collection = 'lost', document = jsonb_set(document, '{collection}', '"lost"') WHERE item_id = 'orphan';
SELECT is_empty($$SELECT * FROM app.stac_republish('lost')$$, 'a collection that was never kept is no hindrance');
SELECT is((SELECT c.content #>> '{extent,spatial,bbox,0}' FROM pgstac.collections AS c WHERE c.id = 'lost'), '[0, 0, 1, 1]', 'it is made of what every collection needs, with the extent of its items');
SELECT * FROM finish();
ROLLBACK;
