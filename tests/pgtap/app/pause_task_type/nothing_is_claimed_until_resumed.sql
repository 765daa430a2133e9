BEGIN;
SELECT plan(5);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
SELECT app.pause_task_type('hello_greeting', 'the test wants it');
SELECT is(tests.work(), 0);
SELECT matches(app.why(:'job'), 'is paused: the test wants it');
SELECT ok(app.resume_task_type('hello_greeting'));
SELECT ok(NOT app.resume_task_type('hello_greeting'));
SELECT is(tests.work(), 4);
SELECT * FROM finish();
ROLLBACK;
