BEGIN;
SELECT plan(7);
SELECT count(tests.given_job('hello_world', jsonb_build_object('n', n))) FROM generate_series(1, 5) AS n;
SELECT tests.work();
SELECT tests.given_workflow('wide', '[{"fan_out": "count", "path": "$.n"}]');
SELECT tests.given_job('wide', '{"n": 50}') AS wide \gset
SELECT tests.work();
UPDATE app.jobs SET created_at = created_at + interval '1 hour' WHERE job_id = :'wide';
SELECT tests.move_clock(interval '40 days');
SELECT app.set_retention('jobs', 30, batch => 2), app.set_retention('failed_jobs', 30, batch => 2), app.set_retention('tasks', 1, batch => 1);
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs), 4::bigint, 'two a run');
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs), 2::bigint);
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs), 0::bigint);
SELECT cmp_ok((SELECT count(*) FROM app.tasks), '>=', 50::bigint, 'their tasks are behind them: ten a run');
SELECT app.run_janitor() AS run \gset
SELECT cmp_ok((SELECT (parts #>> '{prune_tasks,pruned}')::integer FROM app.janitor_runs WHERE run_id = :run), '<=', 10, 'in slices');
SELECT count(app.run_janitor()) FROM generate_series(1, 20);
SELECT is((SELECT count(*) FROM app.tasks), 0::bigint, 'until they are gone, too');
SELECT is((SELECT (count(*), sum(tasks))::text FROM app.archived_jobs), '(6,80)', 'and nothing was archived twice');
SELECT * FROM finish();
ROLLBACK;
