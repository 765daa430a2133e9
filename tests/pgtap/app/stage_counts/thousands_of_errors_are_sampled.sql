BEGIN;
SELECT plan(3);
SELECT tests.given_workflow('wide', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue"}]');
SELECT tests.given_job('wide', '{"n": 20000}') AS job \gset
SELECT stage_id FROM app.stages WHERE job_id = :'job' \gset
WITH claimed AS MATERIALIZED (SELECT * FROM app.turn('w1', '[]', NULL, 10000))
SELECT FROM app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)
                                             || CASE WHEN task_index % 10 < 3 THEN jsonb_build_object('error', tests.error()) ELSE '{}' END) FROM claimed), NULL, 0);
SELECT * FROM app.stage_counts(:stage_id) \gset
SELECT is(:'exact'::boolean, false, 'it says so');
SELECT cmp_ok(abs(:failed - 3000), '<=', 300, 'and is within three points of the tasks that ended');
SELECT is((:completed + :failed, :ready)::text, '(10000,10000)', 'what has ended and what has not is exact still');
SELECT * FROM finish();
ROLLBACK;
