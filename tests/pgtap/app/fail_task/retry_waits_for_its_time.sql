BEGIN;
SELECT plan(9);
SELECT tests.given_workflow('flaky', '[{"max_attempts": 2, "backoff_seconds": 10}]');
SELECT tests.given_job('flaky', '{}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT * FROM app.fail_task(:task_id, :attempt, tests.error(true)) \gset f_
SELECT ok(:'f_will_retry', 'will be tried again');
SELECT ok(:'f_run_at'::timestamptz > app.clock() + interval '7 seconds', 'after the backoff, less jitter');
SELECT is(:'f_job_status'::text, 'processing', 'the job goes on');
SELECT is_empty($$SELECT * FROM app.claim_tasks('w1', NULL, 1)$$, 'no claim comes before');
SELECT tests.move_clock(interval '13 seconds');
SELECT is((SELECT attempt FROM app.claim_tasks('w1', NULL, 1)), 2, 'then it is the second attempt');
SELECT * FROM app.fail_task(:task_id, 2, tests.error(true)) \gset g_
SELECT is(:'g_will_retry'::text, 'f', 'attempts used up');
SELECT is(:'g_job_status'::text, 'failed', 'the job has failed');
SELECT is(tests.task_status(:task_id), 'failed', 'a dead letter');
SELECT is((SELECT count(*) FROM app.task_errors WHERE task_id = :task_id), 2::bigint, 'both errors are kept');
SELECT * FROM finish();
ROLLBACK;
