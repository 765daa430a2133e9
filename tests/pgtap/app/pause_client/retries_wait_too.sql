BEGIN;
SELECT plan(6);
SELECT app.submit_job_with_options('hello_world', '{"n": 1}', '{"client_id": "hub"}') AS job \gset
SELECT tests.given_job('hello_world', '{"n": 2}') AS other \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.pause_client('hub', 'the test wants it');
SELECT app.fail_task(:task_id, :attempt, tests.error(true));
SELECT tests.move_clock(interval '1 hour');
SELECT is(tests.work(), 4, 'only the others');
SELECT is(tests.task_status(:task_id), 'pending', 'the retry waits');
SELECT matches(app.why(:'job'), 'Client hub is paused');
SELECT ok(app.resume_client('hub'));
SELECT is(tests.work(), 2);
SELECT is(tests.job_status(:'job'), 'completed');
SELECT * FROM finish();
ROLLBACK;
