BEGIN;
SELECT plan(3);
SELECT tests.given_client('hub') \gset
SELECT tests.submitted('hub', '1') ->> 'request_id' AS shown \gset
SELECT tests.completed(:'shown') \gset
SELECT tests.submitted('hub', '2') ->> 'request_id' AS kept \gset
SELECT tests.completed(:'kept') \gset
SELECT tests.submitted('hub', '3') ->> 'request_id' AS going \gset
SELECT tests.completed(:'going') \gset
UPDATE platform.requests SET stac_metadata = tests.stac_item('c', version_id, request => request_id);
SELECT platform.keep_items(jsonb_build_array(tests.stac_item('c', '2', '{7,7,8,8}', :'kept')));
SELECT tests.unpublish('hub', :'going', false) \gset

SELECT is(platform.keep_shown_items(), 1::bigint, 'how many');
SELECT is((SELECT array_agg(p.item_id ORDER BY p.item_id) FROM platform.published_items AS p), '{1,2}', 'what is being unpublished does not come back');
SELECT is((SELECT p.document -> 'bbox' FROM platform.published_items AS p WHERE p.item_id = '2'), '[7, 7, 8, 8]', 'what was kept stays as it is');
SELECT * FROM finish();
ROLLBACK;
