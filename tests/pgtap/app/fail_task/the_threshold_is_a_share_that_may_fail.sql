BEGIN;
SELECT plan(11);
SELECT tests.given_workflow('t_' || label, jsonb_build_array(
           jsonb_build_object('fan_out', 'count', 'path', '$.n', 'failure_policy', 'continue', 'max_failed_fraction', fraction), '{"task_type": "after"}'::jsonb))
  FROM (VALUES ('none', 0), ('third', 0.3333333333333333), ('percent', 0.29), ('half', 0.5), ('all', 1)) AS w (label, fraction);

-- How a stage of n tasks ends, of which the first so many fail.
CREATE FUNCTION tests.ends(job_type text, n integer, failing integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job text := app.submit_job(job_type, jsonb_build_object('n', n, 'failing', failing));
    ended text;
BEGIN
    PERFORM CASE WHEN t.task_index < failing THEN (SELECT count(*) FROM app.fail_task(t.task_id, t.attempt, tests.error()))
                 ELSE (SELECT count(*) FROM app.complete_task_and_check_stage(t.task_id, t.attempt, '{}')) END
       FROM app.claim_tasks('w1', '{work}', n) AS t;
    ended := tests.stage_status(job, 1);
    PERFORM tests.work('w2');
    RETURN ended || ' ' || tests.job_status(job);
END;
$$;
SELECT is(tests.ends('t_half', 4, 2), 'completed_with_errors completed_with_errors', 'exactly the share may fail');
SELECT is(tests.ends('t_half', 4, 3), 'failed failed', 'one more may not');
SELECT is(tests.ends('t_half', 5, 2), 'completed_with_errors completed_with_errors', 'two of five are less than half');
SELECT is(tests.ends('t_half', 5, 3), 'failed failed', 'three are more');
SELECT is(tests.ends('t_none', 4, 0), 'completed completed', 'a share of nothing: none may fail');
SELECT is(tests.ends('t_none', 1000, 1), 'failed failed', 'not one of a thousand');
SELECT is(tests.ends('t_all', 4, 3), 'completed_with_errors completed_with_errors', 'a share of one: all but one may fail');
SELECT is(tests.ends('t_all', 4, 4), 'failed failed', 'but never all of them');
SELECT is(tests.ends('t_all', 1, 1), 'failed failed', 'nor the only one');
SELECT is(tests.ends('t_third', 3, 1), 'failed failed', 'a share is what it says, to the last digit: a third is more than 0.3333333333333333');
SELECT is(tests.ends('t_percent', 100, 29), 'completed_with_errors completed_with_errors', '29 of 100 are not more than 0.29, though a double has it so');
SELECT * FROM finish();
ROLLBACK;
