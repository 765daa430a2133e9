BEGIN;
SELECT plan(7);
SELECT tests.given_job('hello_world', '{"n": 5}') AS job \gset
SELECT tests.work('w1', 1);
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 2);
SELECT is(app.cancel_job(:'job', 'not wanted')::text, 'cancelled');
SELECT is(tests.open_tasks(:'job'), 0::bigint);
SELECT is((SELECT array_agg(task_updated) FROM got, app.complete_task_and_check_stage(task_id, attempt, '{}')), '{f,f}', 'late completions change nothing');
SELECT is((SELECT array_agg(reason) FROM app.heartbeat('w1')), '{cancelled,cancelled}');
SELECT is_empty($$SELECT * FROM app.claim_tasks('w2', NULL, 5)$$);
SELECT is(app.cancel_job(:'job')::text, 'cancelled', 'again: nothing changes');
SELECT throws_ok($$SELECT app.cancel_job('nope')$$, 'GM404');
SELECT * FROM finish();
ROLLBACK;
