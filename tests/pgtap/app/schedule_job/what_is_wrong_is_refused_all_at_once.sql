BEGIN;
SELECT plan(6);
SELECT is((SELECT array_agg(p ->> 'field' || ' ' || (p ->> 'code') ORDER BY p ->> 'field') FROM jsonb_array_elements(tests.detail_of(
    $$SELECT app.schedule_job('', '61 * * * *', 'hello_world', '{"n": 0}', '{"run_at": "2026-01-01T00:00Z", "queue": 1}', 'Europe/Atlantis', 'twice')$$)) AS p),
    '{"catch_up NOT_ALLOWED","cron CRON","name OUT_OF_RANGE","options.queue UNKNOWN_KEY","options.run_at NOT_ALLOWED","parameters.n TOO_SMALL","time_zone UNKNOWN_TIME_ZONE"}');
SELECT is(tests.detail_of($$SELECT app.schedule_job('x', '0 0 30 2 *', 'hello_world', '{"n": 1}')$$) ->> 'code', 'CRON', 'what never comes');
SELECT is(tests.detail_of($$SELECT app.schedule_job('x', '* * * * *', 'hello')$$) ->> 'code', 'UNKNOWN_JOB_TYPE');
SELECT throws_ok($$SELECT app.schedule_job(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)$$, 'GM422');
SELECT throws_ok($$SELECT app.schedule_job('x', NULL, 'hello_world', '{"n": 1}', NULL, NULL, NULL, NULL)$$, 'GM422');
SELECT is((SELECT count(*) FROM app.schedules), 0::bigint);
SELECT * FROM finish();
ROLLBACK;
