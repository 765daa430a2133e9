BEGIN;
SELECT plan(6);
SELECT app.submit_job('hello_world', '{"n": 2}') AS first \gset
SELECT is(app.submit_job('hello_world', '{"message": "Hello from geomill", "n": 2}'), :'first', 'defaults and the order of keys do not make another job');
SELECT is((SELECT count(*) FROM app.jobs), 1::bigint, 'there is one job');
SELECT is(tests.stage_tasks(:'first', 1), 2::bigint, 'whose tasks were made once');
SELECT isnt(app.submit_job('hello_world', '{"n": 2}', revision => 2), :'first', 'another revision is another job');
SELECT isnt(app.submit_job('hello_world', '{"n": 2}', platform_request_id => repeat('a', 32)), :'first', 'another request is another job');
SELECT is(app.submit_job('hello_world', '{"n": 2, "message": "e\u0301"}'), app.submit_job('hello_world', '{"n": 2, "message": "\u00e9"}'), 'Unicode is compared in NFC');
SELECT * FROM finish();
ROLLBACK;
