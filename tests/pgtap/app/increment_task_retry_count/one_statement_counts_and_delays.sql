BEGIN;
SELECT plan(6);
SELECT tests.given_workflow('flaky', '[{"max_attempts": 2, "backoff_seconds": 10}]');
SELECT tests.given_job('flaky', '{}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is_empty(format('SELECT * FROM app.increment_task_retry_count(%s, %s, tests.error(true))', :task_id, :attempt - 1), 'stale: no row');
SELECT is_empty(format('SELECT * FROM app.increment_task_retry_count(%s, %s, tests.error(false))', :task_id, :attempt), 'not retryable: no row');
SELECT * FROM app.increment_task_retry_count(:task_id, :attempt, tests.error(true)) \gset r_
SELECT is(:r_new_retry_count, 1);
SELECT is((SELECT run_at FROM app.tasks WHERE task_id = :task_id), :'r_new_execute_after'::timestamptz);
SELECT tests.move_clock(interval '1 minute');
SELECT attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is_empty(format('SELECT * FROM app.increment_task_retry_count(%s, %s, tests.error(true))', :task_id, :attempt), 'used up: no row');
SELECT throws_ok($$SELECT * FROM app.increment_task_retry_count(1, 1, tests.error(true))$$, 'GM404');
SELECT * FROM finish();
ROLLBACK;
