BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT app.stac_ensure_collection(tests.stac_collection('c'));
SELECT app.stac_upsert_items(jsonb_build_array(
    tests.stac_item('c', 'b', request => :'id'), tests.stac_item('c', 'a', request => :'id', revision => 2), tests.stac_item('c', 'x', request => 'yours')));

SELECT is((SELECT array_agg(i ->> 'id') FROM app.stac_shown_items(:'id') AS i), '{a,b}', 'the request''s own, in order');
SELECT is((SELECT count(*) FROM app.stac_shown_items(:'id', 'other')), 0::bigint, 'of one collection');
SELECT is((SELECT i FROM app.stac_shown_items(:'id', 'c') AS i LIMIT 1), tests.stac_item('c', 'a', request => :'id', revision => 2), 'as they were published');
UPDATE platform.requests SET unpublish_revision = 1 WHERE request_id = :'id';
SELECT is((SELECT array_agg(i ->> 'id') FROM app.stac_shown_items(:'id') AS i), '{a}', 'without what is on its way out');
SELECT * FROM finish();
ROLLBACK;
