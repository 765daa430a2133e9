BEGIN;
SELECT plan(4);
SELECT app.stac_ensure_collection(tests.stac_collection('c', '{"geomill:request_id": "mine", "geomill:revision": 1}'));
SELECT app.stac_ensure_collection(tests.stac_collection('d', '{"geomill:request_id": "yours", "geomill:revision": 1}'));
SELECT app.stac_register_search('c') AS hash \gset
SELECT app.stac_register_search('d') AS others \gset
SELECT is((SELECT search FROM pgstac.searches WHERE hash = :'hash'), '{"collections": ["c"]}', 'it is a search for its items');
SELECT is(app.stac_register_search('c'), :'hash', 'the same one again');
SELECT app.stac_delete_collection('c', 'mine', 1);
SELECT is((SELECT count(*) FROM pgstac.searches WHERE hash = :'hash'), 0::bigint, 'it goes with its collection');
SELECT is((SELECT count(*) FROM pgstac.searches WHERE hash = :'others'), 1::bigint, 'and no other does');
SELECT * FROM finish();
ROLLBACK;
