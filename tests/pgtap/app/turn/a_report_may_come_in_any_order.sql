BEGIN;
SELECT plan(4);
SELECT tests.given_workflow('first', '[{"fan_out": "count", "path": "$.n"}]');
SELECT tests.given_job('first', '{"n": 3}') AS one \gset
SELECT tests.given_job('first', '{"n": 2}') AS other \gset
CREATE TEMP TABLE got AS SELECT * FROM app.turn('w1', '[]', NULL, 5);
-- Another attempt of one of them, so that a report has different attempts side by side.
SELECT app.fail_task((SELECT min(task_id) FROM got), 1, tests.error(true));
SELECT tests.move_clock(interval '1 hour');
UPDATE got AS g SET attempt = t.attempt FROM app.turn('w1', '[]', NULL, 1) AS t WHERE t.task_id = g.task_id;
SELECT is((SELECT array_agg(attempt ORDER BY task_id) FROM got), '{2,1,1,1,1}', 'given: two jobs, and a second attempt');
SELECT is((SELECT holding FROM app.workers), (SELECT array_agg(task_id ORDER BY task_id) FROM got), 'all of it is held');
SELECT app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt) ORDER BY task_id DESC) FROM got), NULL, 0);
SELECT is((SELECT count(*) FROM app.tasks WHERE status = 'completed'), 5::bigint, 'each is matched with its own attempt');
SELECT is(ARRAY[tests.job_status(:'one'), tests.job_status(:'other')], '{completed,completed}', 'and both jobs are done');
SELECT * FROM finish();
ROLLBACK;
