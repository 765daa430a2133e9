BEGIN;
SELECT plan(9);
-- More tasks than are simply counted; every number is compared with what a scan of the stage says.
CREATE FUNCTION tests.scanned(stage bigint) RETURNS text LANGUAGE sql AS $$
    SELECT (count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status IN ('cancelled', 'skipped')),
            count(*) FILTER (WHERE status = 'processing'), count(*) FILTER (WHERE status = 'pending' AND coalesce(run_at <= app.clock(), true)),
            count(*) FILTER (WHERE status = 'pending' AND run_at > app.clock()))::text
      FROM app.tasks WHERE stage_id = stage;
$$;
CREATE FUNCTION tests.told(stage bigint) RETURNS text LANGUAGE sql AS $$
    SELECT (completed, failed, cancelled, running, ready, delayed)::text FROM app.stage_counts(stage);
$$;
-- Claims some, and completes them but for the last.
CREATE FUNCTION tests.turn_over(most integer, kept integer DEFAULT 0, worker text DEFAULT 'w1') RETURNS void LANGUAGE sql AS $$
    WITH claimed AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY task_id DESC) AS place FROM app.turn(worker, '[]', NULL, most))
    SELECT FROM app.turn(worker, (SELECT coalesce(jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)), '[]') FROM claimed WHERE place > kept), NULL, 0);
$$;
SELECT tests.given_workflow('wide', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "max_attempts": 3, "backoff_seconds": 60}]');
SELECT tests.given_job('wide', '{"n": 9000}') AS job \gset
SELECT stage_id FROM app.stages WHERE job_id = :'job' \gset
SELECT is(tests.told(:stage_id), tests.scanned(:stage_id), 'nothing claimed');
SELECT tests.turn_over(3000, 7);
SELECT is(tests.told(:stage_id), tests.scanned(:stage_id), 'some completed, some running');
SELECT is((SELECT count(*) FROM app.turn('w2', '[]', NULL, 20) AS c CROSS JOIN LATERAL app.fail_task(c.task_id, c.attempt, tests.error(true)) AS f WHERE f.task_updated), 20::bigint, '20 wait for a retry');
SELECT is((SELECT count(*) FROM app.turn('w2', '[]', NULL, 30) AS c CROSS JOIN LATERAL app.fail_task(c.task_id, c.attempt, tests.error()) AS f WHERE f.task_updated), 30::bigint, '30 are dead letters');
SELECT is(tests.told(:stage_id), tests.scanned(:stage_id), 'errors told apart');
SELECT tests.turn_over(5943);
SELECT is(tests.told(:stage_id), tests.scanned(:stage_id), 'armed by its last task, with stragglers');
SELECT ok((SELECT exact AND next_run_at > app.clock() FROM app.stage_counts(:stage_id)), 'exact, and knows when it goes on');
SELECT app.cancel_job(:'job', 'enough');
SELECT is(tests.told(:stage_id), tests.scanned(:stage_id), 'cancelled');
SELECT app.redrive_task((SELECT min(task_id) FROM app.tasks WHERE status = 'failed'));
SELECT is((SELECT (completed + failed + cancelled + running + ready + delayed = tasks, ready, exact)::text FROM app.stage_counts(:stage_id)), '(t,35,f)', 'taken up again with what was cancelled: the sum is right, and it says that the rest is an estimate');
SELECT * FROM finish();
ROLLBACK;
