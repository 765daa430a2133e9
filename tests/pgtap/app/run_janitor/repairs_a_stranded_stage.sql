BEGIN;
SELECT plan(2);
SELECT tests.given_job('hello_world', '{"n": 2}') AS job \gset
UPDATE app.tasks SET status = 'processing', attempt = 1;
UPDATE app.tasks SET status = 'completed';  -- behind the engine's back
DELETE FROM app.ready_stages;
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT stages_repaired FROM app.janitor_runs WHERE run_id = :run), 1);
SELECT is(tests.stage_tasks(:'job', 2), 2::bigint);
SELECT * FROM finish();
ROLLBACK;
