BEGIN;
SELECT plan(13);
SELECT app.submit_job_with_options('hello_world', '{"n": 1, "message": "before"}', '{"client_id": "hub"}') AS before \gset
SELECT app.submit_job_with_options('hello_world', '{"n": 1, "message": "delayed"}',
    jsonb_build_object('client_id', 'hub', 'run_at', to_char(app.clock() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) AS delayed \gset
SELECT tests.given_job('hello_world', '{"n": 1, "message": "another''s"}') AS other \gset
SELECT app.pause_client('hub', 'it owes us an answer');
SELECT app.submit_job_with_options('hello_world', '{"n": 1, "message": "after"}', '{"client_id": "hub"}') AS after \gset
SELECT is(tests.work(), 2, 'others go on');
SELECT is(tests.job_status(:'other'), 'completed');
SELECT matches(app.why(:'before'), 'Client hub is paused: it owes us an answer');
SELECT matches(app.why(:'after'), 'Client hub is paused');
SELECT tests.move_clock(interval '2 hours');
SELECT app.heartbeat('w1');
SELECT is(tests.work(), 0, 'its time does not free what is delayed');
SELECT ok(app.is_idle(NULL), 'nobody waits for it');
SELECT is((SELECT count(*) FROM app.parked_stages), 3::bigint);
SELECT ok(app.resume_client('hub'));
SELECT ok(NOT app.resume_client('hub'), 'once');
SELECT is((SELECT count(*) FROM app.parked_stages), 0::bigint);
SELECT is(tests.work(), 6, 'then all of it runs');
SELECT throws_ok($$SELECT app.pause_client('hub', '')$$, 'GM422', NULL, 'a pause says why');
SELECT throws_ok($$SELECT app.pause_client(NULL, 'x')$$, 'GM422');
SELECT * FROM finish();
ROLLBACK;
