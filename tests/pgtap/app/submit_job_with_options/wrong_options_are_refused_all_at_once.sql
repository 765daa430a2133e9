BEGIN;
SELECT plan(4);
SELECT is((SELECT array_agg(p ->> 'field' || ' ' || (p ->> 'code') ORDER BY p ->> 'field') FROM jsonb_array_elements(tests.detail_of(
    $$SELECT app.submit_job_with_options('hello_world', '{"n": 0}', '{"priority": 101, "run_at": "tomorrow", "unique_key": "", "on_conflict": "replace", "queue": "x"}')$$)) AS p),
    '{"options.on_conflict NOT_ALLOWED","options.priority TOO_LARGE","options.queue UNKNOWN_KEY","options.run_at PATTERN","options.unique_key TOO_SHORT","parameters.n TOO_SMALL"}',
    'parameters and options together');
SELECT is(tests.detail_of($$SELECT app.submit_job_with_options('hello_world', '{"n": 1}', '{"run_at": "2026-02-30T00:00:00Z"}')$$) ->> 'code', 'NO_SUCH_MOMENT');
SELECT throws_ok($$SELECT app.submit_job_with_options('hello_world', '{"n": 1}', '[]')$$, 'GM422');
SELECT is((SELECT count(*) FROM app.jobs), 0::bigint, 'no job was made');
SELECT * FROM finish();
ROLLBACK;
