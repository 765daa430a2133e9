BEGIN;
SELECT plan(2);
SELECT tests.given_workflow('wide', '[{"fan_out": "count", "path": "$.n"}]');
SELECT tests.given_job('wide', '{"n": 20}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.turn('w1', '[]', NULL, 10);
SELECT pg_stat_get_xact_tuples_hot_updated('app.tasks'::regclass) AS before \gset
SELECT app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM got), NULL, 0);
SELECT is((SELECT count(*) FROM app.tasks WHERE status = 'completed'), 10::bigint);
SELECT is(pg_stat_get_xact_tuples_hot_updated('app.tasks'::regclass) - :before, 10::bigint, 'no index learns of it');
SELECT * FROM finish();
ROLLBACK;
