BEGIN;
SELECT plan(10);
SELECT app.submit_job_with_options('hello_world', '{"n": 1}', '{"unique_key": "nightly"}') AS first \gset
SELECT is(app.submit_job_with_options('hello_world', '{"n": 2}', '{"unique_key": "nightly"}')::text, :'first', 'other work, same key: the open one');
SELECT is(app.submit_job_with_options('hello_world', '{"n": 1}', '{"unique_key": "nightly"}')::text, :'first', 'same work, same key');
SELECT throws_ok($$SELECT app.submit_job_with_options('hello_world', '{"n": 2}', '{"unique_key": "nightly", "on_conflict": "refuse"}')$$, 'GM409');
SELECT is(tests.detail_of($$SELECT app.submit_job_with_options('hello_world', '{"n": 2}', '{"unique_key": "nightly", "on_conflict": "refuse"}')$$) ->> 'value',
    :'first', 'the refusal names the job');
SELECT isnt(app.submit_job_with_options('hello_world', '{"n": 2}', '{"unique_key": "weekly"}')::text, :'first', 'another key is another job');
SELECT app.cancel_job(:'first');
SELECT app.submit_job_with_options('hello_world', '{"n": 5}', '{"unique_key": "nightly"}') AS second \gset
SELECT isnt(:'second'::text, :'first', 'when it has ended there is room for the next');
SELECT throws_ok(format('SELECT app.retry_job(%L)', :'first'), 'GM409', NULL, 'the ended one cannot come back beside it');
SELECT is(tests.job_status(:'first'), 'cancelled', 'and is as it was');
SELECT app.cancel_job(:'second');
SELECT is(app.retry_job(:'first'), 1, 'alone it can');
SELECT is(app.submit_job_with_options('hello_world', '{"n": 9}', '{"unique_key": "nightly"}')::text, :'first', 'and has the key again');
SELECT * FROM finish();
ROLLBACK;
