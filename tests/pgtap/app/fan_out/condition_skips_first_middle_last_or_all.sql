BEGIN;
SELECT plan(12);
SELECT tests.given_workflow('maybe', '[{"condition": "$.parameters.first == true", "task_type": "a"}, {"condition": "$.parameters.middle == true", "task_type": "b"},
                                       {"condition": "$.parameters.last == true", "task_type": "c"}]');
CREATE FUNCTION tests.ran(parameters jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job text := app.submit_job('maybe', parameters);
BEGIN
    PERFORM tests.work('w1');
    RETURN (SELECT string_agg(s.stage || ':' || s.tasks, ' ' ORDER BY s.stage) || ' ' || tests.job_status(job) FROM app.stages AS s WHERE s.job_id = job);
END;
$$;
SELECT is(tests.ran('{"first": true, "middle": true, "last": true}'), '1:1 2:1 3:1 completed');
SELECT is(tests.ran('{"first": false, "middle": true, "last": true}'), '1:0 2:1 3:1 completed', 'the first is skipped: the job begins with the second');
SELECT is(tests.ran('{"first": true, "middle": false, "last": true}'), '1:1 2:0 3:1 completed', 'the middle is skipped');
SELECT is(tests.ran('{"first": true, "middle": true, "last": false}'), '1:1 2:1 3:0 completed', 'the last is skipped: the job ends with the second');
SELECT is(tests.ran('{"first": false, "middle": false, "last": true}'), '1:0 2:0 3:1 completed');
SELECT is(tests.ran('{"first": false, "middle": false, "last": false}'), '1:0 2:0 3:0 completed', 'all are skipped: the job ends as it is submitted');
SELECT is(tests.ran('{"n": 1}'), '1:0 2:0 3:0 completed', 'what the condition asks for is not there: false');
-- A skipped stage has no results for the one behind it.
SELECT tests.given_workflow('behind', '[{}, {"condition": "$.parameters.wanted == true"}, {"fan_out": "match_previous"}, {"condition": "exists($.previous[*])"}, {}]');
SELECT tests.given_job('behind', '{"wanted": false}') AS job \gset
SELECT is(tests.work(), 2, 'match_previous behind a skipped stage has no tasks, and what asks for results is skipped');
SELECT is(tests.job_status(:'job'), 'completed');
SELECT tests.given_job('behind', '{"wanted": true}') AS wanted \gset
SELECT is(tests.work(), 5);
-- A delayed job whose first stage is skipped waits, too.
SELECT app.submit_job_with_options('maybe', '{"middle": true, "again": 1}', '{"run_at": "2099-01-01T00:00:00Z"}') AS later \gset
SELECT is(tests.work(), 0);
SELECT is(tests.job_status(:'later'), 'pending', 'a delayed job waits with the first stage that has tasks');
SELECT * FROM finish();
ROLLBACK;
