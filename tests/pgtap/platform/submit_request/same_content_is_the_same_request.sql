BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', config => '{"title": "Roads"}') ->> 'request_id' AS id \gset
SELECT is(tests.submitted('hub', config => '{"title": "Roads"}') - 'status_url', jsonb_build_object('request_id', :'id', 'status', 'pending', 'created', false, 'revision', 1, 'warnings', '[]'::jsonb), 'is returned as it is');
SELECT is(tests.submitted('hub', config => '{"keep_z": false, "title": "Roads", "chunk_rows": 50000}') ->> 'created', 'false', 'written-out defaults are the same content');
SELECT is(tests.submitted('hub', config => '{"title": "Roads", "priority": 5}') ->> 'created', 'false', 'so is another priority');
SELECT is(tests.submitted('hub', config => '{"title": "Roads", "overwrite": true}') ->> 'created', 'false', 'and overwrite, while it runs');
SELECT is(tests.submitted('hub', config => '{"title": "Roads"}', callback_url => 'https://hub.example.org/hook') #>> '{warnings,0,code}', 'CALLBACK_UNCHANGED', 'a new callback is not taken in silence');
SELECT is((SELECT count(*) FROM app.jobs), 1::bigint, 'and there is one job');
SELECT * FROM finish();
ROLLBACK;
