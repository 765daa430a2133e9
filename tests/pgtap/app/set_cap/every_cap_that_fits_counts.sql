BEGIN;
SELECT plan(7);
SELECT app.set_cap('client', 'hub', 4), app.set_cap('key', 'license', 2), app.set_cap('task_type', 'work', 5);
SELECT tests.given_workflow('capped', '[{"fan_out": "count", "path": "$.n"}]');
SELECT app.submit_job_with_options('capped', '{"n": 5, "k": 1}', '{"client_id": "hub", "concurrency_key": "license"}') AS both \gset
SELECT app.submit_job_with_options('capped', '{"n": 5, "k": 2}', '{"client_id": "hub"}') AS hub \gset
SELECT app.submit_job_with_options('capped', '{"n": 5, "k": 3}', '{"concurrency_key": "license"}') AS license \gset
SELECT tests.given_job('capped', '{"n": 5}') AS nobody \gset
CREATE TEMP TABLE claimed AS SELECT * FROM app.claim_tasks('w1', NULL, 100);
SELECT results_eq('SELECT j.parameters ->> ''k'', count(*) FROM claimed JOIN app.jobs AS j USING (job_id) GROUP BY 1 ORDER BY 1',
    $$VALUES ('1', 2::bigint), ('2', 2), (NULL, 1)$$, 'two of the key, four of the client, five of the type, in order of rank');
SELECT is((SELECT count(*) FROM app.slots AS s JOIN app.caps AS c USING (cap_id) WHERE s.task_id IS NOT NULL AND c.kind = 'client'), 4::bigint);
SELECT app.cancel_job(:'both');
SELECT is((SELECT count(*) FROM app.slots AS s JOIN app.caps AS c USING (cap_id) WHERE s.task_id IS NOT NULL AND c.kind = 'task_type'), 5::bigint,
    'what a cancelled job gives back goes to those that wait');
SELECT is((SELECT count(*) FROM app.slots AS s WHERE s.task_id NOT IN (SELECT task_id FROM app.tasks WHERE status IN ('pending', 'processing'))), 0::bigint,
    'nothing that has ended has a slot');
SELECT app.complete_task_and_check_stage(task_id, attempt, '{}') FROM app.tasks WHERE status = 'processing';
SELECT is(tests.work('w2'), 12, 'all that is left is done');
SELECT is(app.retry_job(:'both'), 5, 'what is taken up again');
SELECT is((SELECT count(*) FROM app.claim_tasks('w1', NULL, 100)), 2::bigint, 'is under its caps again');
SELECT * FROM finish();
ROLLBACK;
