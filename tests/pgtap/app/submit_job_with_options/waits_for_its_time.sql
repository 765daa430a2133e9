BEGIN;
SELECT plan(12);
SELECT app.submit_job_with_options('hello_world', '{"n": 2}', jsonb_build_object('run_at', to_char(app.clock() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) AS job \gset
SELECT is(tests.work(), 0, 'before its time nothing of it is claimed');
SELECT is((SELECT count(*) FROM app.parked_stages), 1::bigint, 'for its stage is parked');
SELECT ok(app.is_idle(NULL), 'and nobody waits for it');
SELECT matches(app.why(:'job'), 'not before', 'why says so');
SELECT app.run_janitor(), app.heartbeat('w1');
SELECT is(tests.work(), 0, 'neither janitor nor heartbeat is early');
SELECT tests.move_clock(interval '61 minutes');
SELECT ok(NOT app.is_idle(NULL), 'now there is something to do');
SELECT is(tests.work(), 4, 'a claim that finds nothing else looks for it');
SELECT is(tests.job_status(:'job'), 'completed');
SELECT app.submit_job_with_options('hello_world', '{"n": 3}', jsonb_build_object('run_at', '2001-02-03 04:05+06:00')) AS past \gset
SELECT is(tests.work(), 6, 'a time that has passed is now');
SELECT is((SELECT run_at FROM app.jobs WHERE job_id = :'past'), timestamptz '2001-02-02 22:05:00+00', 'an offset counts, whatever the session says');
SELECT app.submit_job_with_options('hello_world', '{"n": 4}', jsonb_build_object('run_at', to_char(app.clock() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) AS busy \gset
SELECT tests.given_job('hello_world', '{"n": 100}');
SELECT tests.move_clock(interval '61 minutes');
SELECT app.claim_tasks('w1', NULL, 1);
SELECT is((SELECT count(*) FROM app.parked_stages), 1::bigint, 'a claim that finds enough does not look');
SELECT app.heartbeat('w1');
SELECT is((SELECT count(*) FROM app.parked_stages), 0::bigint, 'the next heartbeat does');
SELECT * FROM finish();
ROLLBACK;
