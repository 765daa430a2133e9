BEGIN;
SELECT plan(6);
SELECT tests.given_workflow('capped', '[{"fan_out": "count", "path": "$.n"}]');
SELECT app.set_cap('task_type', 'work', 2);
SELECT tests.given_job('capped', '{"n": 6}') AS job \gset
SELECT is((SELECT count(*) FROM app.claim_tasks('w1', NULL, 10)), 2::bigint);
-- What no function does: a task that ended and kept its slot, a line that was lost, a stage that never heard of its cap.
UPDATE app.slots SET task_id = 1 WHERE task_id = (SELECT min(task_id) FROM app.tasks WHERE status = 'processing');
DELETE FROM app.capped_stages;
SELECT tests.given_job('capped', '{"n": 4, "other": true}') AS other \gset
UPDATE app.stages SET caps = NULL WHERE job_id = :'other';
DELETE FROM app.capped_stages;
UPDATE app.tasks SET run_at = NULL WHERE run_at = 'infinity' AND task_id > (SELECT max(task_id) FROM app.tasks WHERE status = 'processing') + 1000;
INSERT INTO app.ready_stages SELECT stage_id, task_type, 0, (stage_id << 24) - 1, last_task_id FROM app.stages WHERE job_id = :'other';
SELECT app.heartbeat('w1'), app.run_janitor();
SELECT is((SELECT parts -> 'slots' ->> 'leaked' FROM app.janitor_runs ORDER BY run_id DESC LIMIT 1), '1', 'the slot is found');
SELECT is((SELECT parts -> 'slots' ->> 'stages' FROM app.janitor_runs ORDER BY run_id DESC LIMIT 1), '2', 'and both stages');
SELECT is((SELECT error FROM app.janitor_runs ORDER BY run_id DESC LIMIT 1), NULL);
SELECT is((SELECT count(*) FROM app.ready_stages), 0::bigint, 'who had escaped is in line');
SELECT app.complete_task_and_check_stage(task_id, attempt, '{}') FROM app.tasks WHERE status = 'processing';
SELECT is(tests.work('w1'), 8, 'and all of it is done');
SELECT * FROM finish();
ROLLBACK;
