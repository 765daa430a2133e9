BEGIN;
SELECT plan(2);
SELECT tests.given_workflow('counted', '[{"fan_out": "count", "path": "$.n"}, {"task_type": "later"}]');
SELECT tests.given_job('counted', '{"n": 3}') AS job \gset
SELECT tests.work('w1', 3) \gset

SELECT tests.move_clock('1 minute'), app.run_janitor() \gset
SELECT is(tests.stage_status(:'job', 2), 'pending', 'nobody has claimed from the next stage');
SELECT is((SELECT sum(s.completed) FROM app.task_statistics AS s WHERE s.task_type = 'work'), 3::numeric, 'and the tasks before it are counted');
SELECT * FROM finish();
ROLLBACK;
