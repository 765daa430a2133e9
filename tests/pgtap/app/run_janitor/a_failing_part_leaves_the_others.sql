BEGIN;
SELECT plan(6);
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
SELECT tests.given_job('hello_world', '{"n": 1}') AS job \gset
SELECT count(*) FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT tests.move_clock(interval '2 minutes');
CREATE OR REPLACE FUNCTION app.janitor_prune_rows(this_moment timestamptz) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM app.workers;
    RAISE EXCEPTION 'as the test wants it';
END;
$$;
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT error FROM app.janitor_runs WHERE run_id = :run), 'prune_rows: as the test wants it', 'the run says which part failed');
SELECT is((SELECT count(*) FROM app.workers), 1::bigint, 'which undid what it did');
SELECT is((SELECT tasks_reclaimed FROM app.janitor_runs WHERE run_id = :run), 1, 'and the parts after it did their work');
SELECT ok((SELECT parts -> 'reclaim' ? 'seconds' AND parts #>> '{prune_rows,error}' = 'as the test wants it' FROM app.janitor_runs WHERE run_id = :run), 'each has its own record');
SELECT is(tests.ask('boss', 'SELECT platform.health()') #>> '{health,components,janitor,status}', 'degraded', 'health shows it');
SELECT is(tests.ask('boss', 'SELECT platform.health()') #>> '{health,components,janitor,metric,error}', 'prune_rows: as the test wants it', 'with the error');
SELECT * FROM finish();
ROLLBACK;
