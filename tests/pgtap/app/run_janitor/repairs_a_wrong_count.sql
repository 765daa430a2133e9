BEGIN;
SELECT plan(5);
SELECT tests.given_workflow('wide', '[{"fan_out": "count", "path": "$.n"}, {"fan_out": "match_previous"}]');
SELECT tests.given_job('wide', '{"n": 4}') AS job \gset
WITH claimed AS MATERIALIZED (SELECT * FROM app.turn('w1', '[]', NULL, 4))
SELECT FROM app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM claimed WHERE task_index >= 2), NULL, 0);
SELECT tests.move_clock(interval '2 minutes');
SELECT app.heartbeat('w1');
UPDATE app.stages SET remaining = 1;  -- too few: the stage would end before its last task
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT parts #> '{repair_stages,faults}' FROM app.janitor_runs WHERE run_id = :run), '{"miscounted": 1}');
SELECT is((SELECT remaining FROM app.stages), 2);
UPDATE app.stages SET remaining = 7;  -- too many: it would never end
SELECT app.run_janitor();
SELECT is((SELECT remaining FROM app.stages), 2);
SELECT app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM app.tasks WHERE status = 'processing'), NULL, 0);
SELECT is(tests.stage_status(:'job', 1), 'completed', 'it ends with its last task');
SELECT is(tests.stage_tasks(:'job', 2), 4::bigint);
SELECT * FROM finish();
ROLLBACK;
