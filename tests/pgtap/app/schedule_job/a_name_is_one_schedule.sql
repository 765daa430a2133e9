BEGIN;
SELECT plan(7);
SELECT tests.move_clock(timestamptz '2026-06-01 12:00:30+00' - app.clock());
SELECT is(app.schedule_job('nightly', '30 3 * * *', 'hello_world', '{"n": 1}', time_zone => 'Europe/Berlin'),
    app.next_cron_time('30 3 * * *', app.clock(), 'Europe/Berlin'), 'it says when the first is due');
SELECT throws_ok($$SELECT app.schedule_job('nightly', '@daily', 'hello_world', '{"n": 2}')$$, 'GM422');
SELECT app.schedule_job('nightly', '45 3 * * *', 'hello_world', '{"n": 2}', is_active => false);
SELECT results_eq('SELECT name::text, cron::text, parameters, next_run_at, is_active FROM app.schedules',
    $$VALUES ('nightly', '45 3 * * *', '{"n": 2}'::jsonb, NULL::timestamptz, false)$$, 'again replaces it; inactive it is never due');
SELECT isnt(app.schedule_job('nightly', '45 3 * * *', 'hello_world', '{"n": 2}'), NULL);
SELECT ok(app.unschedule_job('nightly'));
SELECT ok(NOT app.unschedule_job('nightly'), 'once');
SELECT is((SELECT count(*) FROM app.schedules), 0::bigint);
SELECT * FROM finish();
ROLLBACK;
