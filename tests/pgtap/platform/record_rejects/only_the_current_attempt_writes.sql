BEGIN;
SELECT plan(7);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
CREATE FUNCTION pg_temp.record(task_id bigint, attempt integer, rejects jsonb) RETURNS integer LANGUAGE sql AS $$ SELECT platform.record_rejects(task_id, attempt, 'roads.gpkg', rejects) $$;

SELECT is(pg_temp.record(:task_id, :attempt, '[{"source_row": 7, "code": "X", "reason": "so", "properties": {"a": 1}}, {"code": "Y", "reason": "whole"}]'), 2, 'says how many');
SELECT is((SELECT string_agg(concat_ws(' ', request_id = :'id', revision, source_row, code, properties), '; ' ORDER BY reject_id) FROM platform.rejects),
          't 1 7 X {"a": 1}; t 1 Y', 'of the job''s own request and revision');
SELECT is(pg_temp.record(:task_id, :attempt, '[]'), 0, 'none is none');
SELECT throws_ok(format('SELECT pg_temp.record(%s, %s, %L)', :task_id, :attempt - 1, '[]'), 'GM409', NULL, 'not an earlier attempt');
SELECT throws_ok(format('SELECT pg_temp.record(%s, %s, %L)', :task_id, :attempt, '[{"code": "X"}]'), 'GM422', NULL, 'not without a reason');
SELECT throws_ok(format('SELECT pg_temp.record(%s, %s, %L)', :task_id, :attempt, '{}'), 'GM422', NULL, 'nor what is no array');
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{"chunks": []}') \gset
SELECT throws_ok(format('SELECT pg_temp.record(%s, %s, %L)', :task_id, :attempt, '[]'), 'GM409', NULL, 'nor an attempt that has ended');
SELECT * FROM finish();
ROLLBACK;
