BEGIN;
SELECT plan(4);
SELECT tests.given_job('hello_world', '{"n": 1}') AS job \gset
SELECT tests.work();
SELECT throws_ok($$UPDATE app.jobs SET status = 'pending'$$, 'GM409');
SELECT throws_ok($$UPDATE app.jobs SET status = 'processing'$$, 'GM409');
SELECT throws_ok($$UPDATE app.tasks SET status = 'processing'$$, 'GM409');
SELECT throws_ok($$UPDATE app.stages SET status = 'failed'$$, 'GM409');
SELECT * FROM finish();
ROLLBACK;
