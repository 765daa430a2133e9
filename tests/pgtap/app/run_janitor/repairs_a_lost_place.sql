BEGIN;
SELECT plan(8);
SELECT tests.given_job('hello_world', '{"n": 3}') AS job \gset
SELECT stage_id FROM app.stages WHERE job_id = :'job' \gset
SELECT tests.work('w1', 1);
DELETE FROM app.ready_stages;
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.ready_stages), 0::bigint, 'not within its first minute');
SELECT tests.move_clock(interval '2 minutes');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT parts #> '{repair_stages,faults}' FROM app.janitor_runs WHERE run_id = :run), '{"unreachable": 1}');
SELECT is((SELECT (low, high)::text FROM app.ready_stages), ((:stage_id::bigint << 24), (:stage_id::bigint << 24) + 2)::text, 'above what has been claimed');

UPDATE app.ready_stages SET low = high;  -- a mark that is too high hides tasks as well
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT low FROM app.ready_stages), :stage_id::bigint << 24);

DELETE FROM app.ready_stages;
SELECT app.pause_client('hub', 'the test wants it');
UPDATE app.jobs SET client_id = 'hub';
SELECT app.run_janitor();
SELECT is((SELECT (count(*), min(client_id))::text FROM app.parked_stages), '(1,hub)', 'of a paused client it is parked');
SELECT is((SELECT count(*) FROM app.ready_stages), 0::bigint);
SELECT ok(app.resume_client('hub'));
SELECT tests.work('w2');
SELECT is(tests.job_status(:'job'), 'completed', 'and the job comes to its end');
SELECT * FROM finish();
ROLLBACK;
