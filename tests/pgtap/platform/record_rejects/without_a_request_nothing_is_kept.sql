BEGIN;
SELECT plan(2);
SELECT tests.given_job('hello_world', '{"n": 1}') AS job \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is(platform.record_rejects(:task_id, :attempt, 'roads.gpkg', '[{"code": "X", "reason": "so"}]'), 0, 'says so');
SELECT is((SELECT count(*) FROM platform.rejects), 0::bigint, 'and nothing is there');
SELECT * FROM finish();
ROLLBACK;
