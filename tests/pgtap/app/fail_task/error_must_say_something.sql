BEGIN;
SELECT plan(5);
SELECT tests.given_job('hello_world', '{"n": 1}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT throws_ok(format('SELECT app.fail_task(%s, %s, NULL)', :task_id, :attempt), 'GM422');
SELECT throws_ok(format('SELECT app.fail_task(%s, %s, ''[]'')', :task_id, :attempt), 'GM422');
SELECT throws_ok(format('SELECT app.fail_task(%s, %s, ''{"code": "X"}'')', :task_id, :attempt), 'GM422');
SELECT throws_ok(format('SELECT app.fail_task(%s, %s, ''{"code": "X", "message": "m", "retryable": "yes"}'')', :task_id, :attempt), 'GM422');
SELECT throws_ok($$SELECT app.fail_task(1, 1, tests.error())$$, 'GM404');
SELECT * FROM finish();
ROLLBACK;
