BEGIN;
SELECT plan(7);
SELECT tests.given_workflow('w', '[{"fan_out": "count", "path": "$.n"}, {}]');
SELECT tests.given_job('w', '{"n": 3}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{}');
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.fail_task(:task_id, :attempt, tests.error());
SELECT is(tests.job_status(:'job'), 'failed', 'the second of three tasks ended the job');

SELECT ok(app.redrive_task(:task_id));
SELECT is(tests.open_tasks(:'job'), 2::bigint, 'the third, which nobody tried, is open again');
SELECT is(tests.work('w1', 1), 1);
SELECT is(tests.stage_status(:'job', 1), 'processing', 'the stage does not go on without it');
SELECT is(tests.work(), 2, 'the other of the two, and the second stage');
SELECT is((SELECT array_agg(DISTINCT t.status::text) FROM app.tasks AS t), '{completed}');
SELECT * FROM finish();
ROLLBACK;
