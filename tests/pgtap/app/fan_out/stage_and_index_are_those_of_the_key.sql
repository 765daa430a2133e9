BEGIN;
SELECT plan(2);
SELECT tests.given_workflow('ways', '[{}, {"fan_out": "each", "of": "previous", "path": "$.files[*]"}, {"fan_out": "match_previous"},
                                     {"fan_out": "each", "path": "$.files[*]"}, {"fan_out": "count", "path": "$.n"}]');
SELECT tests.given_job('ways', '{"n": 3, "files": ["a", "b"]}') AS job \gset
SELECT tests.work('w1', 1, '{"files": [1, 2, 3]}');
SELECT tests.work();
SELECT is((SELECT array_agg(s.tasks ORDER BY s.stage) FROM app.stages AS s WHERE s.job_id = :'job'), '{1,3,3,2,3}', 'every way to fan out');
SELECT is((SELECT array_agg(DISTINCT (t.stage_id = t.task_id >> 24, t.task_index = t.task_id & 16777215)::text) FROM app.tasks AS t), '{"(t,t)"}');
SELECT * FROM finish();
ROLLBACK;
