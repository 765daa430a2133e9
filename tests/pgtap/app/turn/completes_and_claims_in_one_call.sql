BEGIN;
SELECT plan(6);
SELECT tests.given_job('hello_world', '{"n": 3}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.turn('w1', '[]', NULL, 3);
SELECT is((SELECT count(*) FROM got), 3::bigint);
SELECT isnt((SELECT correlation_id FROM got LIMIT 1), NULL, 'with the correlation id');
CREATE TEMP TABLE next AS SELECT t.* FROM app.turn('w1',
    (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt, 'result_data', '{"r": 1}'::jsonb)) FROM got), NULL, 10) AS t;
SELECT is((SELECT array_agg(DISTINCT stage) FROM next), '{2}', 'it claims from the stage that it opened');
SELECT is((SELECT cardinality(holding) FROM app.workers), 3, 'and holds those');
SELECT is((SELECT count(*) FROM app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM got), NULL, 10)), 0::bigint, 'sent again, it changes nothing');
SELECT app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM next), NULL, 10);
SELECT is(tests.job_status(:'job'), 'completed');
SELECT * FROM finish();
ROLLBACK;
