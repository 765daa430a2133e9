BEGIN;
SELECT plan(5);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is_empty($$SELECT * FROM app.heartbeat('w1')$$, 'nothing lost');
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor();
SELECT is((SELECT (task_id, attempt, reason)::text FROM app.heartbeat('w1')), format('(%s,1,lost)', :'task_id'), 'taken back');
SELECT is((SELECT status::text FROM app.workers WHERE worker_id = 'w1'), 'dead', 'and the dead stay dead');
SELECT throws_ok($$SELECT * FROM app.turn('w1', '[]', NULL, 1)$$, 'GM409');
SELECT throws_ok($$SELECT * FROM app.heartbeat('nobody')$$, 'GM404');
SELECT * FROM finish();
ROLLBACK;
