BEGIN;
SELECT plan(4);
SELECT tests.given_workflow('aged', '[{"fan_out": "count", "path": "$.n", "task_parameters": ["of"]}]');
SELECT tests.given_job('aged', '{"n": 3, "of": "least"}', -100);
-- A stream of urgent work, more of it than workers can do: each minute two tasks of the highest priority, of which one is done.
CREATE FUNCTION tests.minutes(minutes integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    least bigint := 0;
BEGIN
    FOR minute IN 1..minutes LOOP
        PERFORM tests.move_clock(interval '1 minute');
        PERFORM tests.given_job('aged', jsonb_build_object('n', 2, 'of', 'urgent', 'at', app.clock()), 100);
        least := least + (SELECT count(*) FROM app.claim_tasks('w1', NULL, 1) AS t WHERE t.parameters ->> 'of' = 'least');
    END LOOP;
    RETURN least;
END;
$$;
SELECT is(tests.minutes(60), 0::bigint, 'urgent work goes first');
SELECT tests.move_clock(interval '1980 minutes');
SELECT is(tests.minutes(10), 0::bigint, 'as long as its head start of 2000 minutes lasts');
SELECT tests.given_job('aged', '{"n": 1, "of": "urgent", "late": true}', 100);
SELECT tests.move_clock(interval '3 hours');
SELECT ok(tests.minutes(300) = 3, 'then the oldest is the most urgent: nothing starves');
SELECT is((SELECT count(*) FROM app.tasks AS t JOIN app.stages AS s USING (stage_id) JOIN app.jobs AS j USING (job_id) WHERE j.priority = -100 AND t.status = 'pending'), 0::bigint);
SELECT * FROM finish();
ROLLBACK;
