BEGIN;
SELECT plan(4);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.cancel_job(:'job', 'the test wants it');
SELECT lives_ok(format('SELECT app.hold_task(%s, %s)', :'task_id', :'attempt'), 'a hold asks no table');
SELECT throws_ok(format('SELECT * FROM app.complete_task_and_check_stage(%s, %s, NULL)', :'task_id', :'attempt'), 'GM409');
SELECT throws_ok(format('SELECT * FROM app.fail_task(%s, %s, tests.error())', :'task_id', :'attempt'), 'GM409');
SELECT is((SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory' AND c.relname = 'tasks'), 0::bigint, 'no table lock comes with it');
SELECT * FROM finish();
ROLLBACK;
