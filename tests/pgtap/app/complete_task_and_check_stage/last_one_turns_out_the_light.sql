BEGIN;
SELECT plan(10);
SELECT tests.given_job('hello_world', '{"n": 3}') AS job \gset
SELECT tests.work('w1', 2);
SELECT is(tests.stage_status(:'job', 2), NULL, 'two of three: no second stage');
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT * FROM app.complete_task_and_check_stage(:task_id, :attempt, '{"greeting": "hi"}') \gset done_
SELECT ok(:'done_task_updated', 'updated');
SELECT ok(:'done_is_last_task_in_stage', 'the last one');
SELECT is(:'done_job_id'::text, :'job', 'of this job');
SELECT is(:done_stage_number, 1, 'of its first stage');
SELECT is(:done_remaining_tasks, 0, 'none remains');
SELECT is(tests.stage_tasks(:'job', 2), 3::bigint, 'the second stage has its tasks in the same transaction');
SELECT tests.work();
SELECT is(tests.job_status(:'job'), 'completed', 'and when they end, so does the job');
SELECT is((SELECT result_data ->> 'completed' FROM app.jobs), '3', 'with its result');
SELECT is(tests.open_tasks(:'job'), 0::bigint, 'no open task');
SELECT * FROM finish();
ROLLBACK;
