BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT plan(2);
SELECT throws_ok($$SELECT app.submit_job('hello_world', '{"n": 2}')$$, '25001');
SELECT throws_ok($$SELECT * FROM app.turn('w1', '[]', NULL, 1)$$, '25001');
SELECT * FROM finish();
ROLLBACK;
