BEGIN;
SELECT plan(7);
SELECT tests.given_workflow('w', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue"}]');
SELECT app.set_cap('task_type', 'work', 1);
SELECT app.submit_job_with_options('w', '{"n": 3}', '{"client_id": "hub"}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.fail_task(:task_id, :attempt, tests.error());
SELECT app.pause_client('hub', 'the test wants it');
SELECT ok(app.redrive_task(:task_id));
SELECT is((SELECT count(*) FROM app.parked_stages), 1::bigint);
SELECT is((SELECT count(*) FROM app.capped_stages), 0::bigint, 'its stage has one place, and no slot');
SELECT is(tests.work(), 0);
SELECT ok(app.resume_client('hub'));
SELECT is(tests.work(), 3, 'what was redriven and what had waited');
SELECT is(tests.job_status(:'job'), 'completed');
SELECT * FROM finish();
ROLLBACK;
