BEGIN;
SELECT plan(14);
SELECT tests.given_workflow('errs', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "max_attempts": 1}]');
SELECT tests.given_job('errs', '{"n": 3}') AS done \gset
SELECT app.fail_task(c.task_id, c.attempt, tests.error()) FROM app.claim_tasks('w1', NULL, 1) AS c;
SELECT tests.work('w1', result => '{"rows": 1}');
SELECT tests.given_workflow('fails', '[{"max_attempts": 1}]');
SELECT tests.given_job('fails', '{}') AS failed \gset
SELECT app.fail_task(c.task_id, c.attempt, tests.error()) FROM app.claim_tasks('w1', NULL, 1) AS c;
SELECT app.release_tasks('w1', true);
INSERT INTO app.api_requests (client_id, function_name) VALUES ('hub', 'list_requests');
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs), 2::bigint, 'what is young stays');

SELECT tests.move_clock(interval '31 days');
SELECT tests.given_job('hello_world', '{"n": 1}') AS open \gset
UPDATE app.jobs SET created_at = created_at - interval '1 year' WHERE job_id = :'open';
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT error FROM app.janitor_runs WHERE run_id = :run), NULL);
SELECT is((SELECT array_agg(job_id::text ORDER BY job_id) FROM app.jobs), (SELECT array_agg(j ORDER BY j) FROM unnest(ARRAY[:'failed', :'open']) AS j), 'after 30 days what completed goes; what failed stays, and what is open, however old');
SELECT is((SELECT (job_id, status, stages, tasks, completed_tasks, failed_tasks, parameters)::text FROM app.archived_jobs),
          format('(%s,completed_with_errors,1,3,2,1,"{""n"": 3}")', :'done'), 'one narrow row is archived');
SELECT is((SELECT array_agg(DISTINCT s.job_id::text) FROM app.tasks AS t LEFT JOIN app.stages AS s USING (stage_id)), (SELECT array_agg(j ORDER BY j) FROM unnest(ARRAY[:'failed', :'open']) AS j), 'its tasks are gone');
SELECT is((SELECT count(*) FROM app.task_results), 0::bigint, 'with their results');
SELECT is((SELECT count(*) FROM app.task_errors), 1::bigint, 'and errors');
SELECT is((SELECT count(*) FROM app.discarded_stages), 0::bigint, 'and nothing is left to do');
SELECT is((SELECT count(*) FROM app.workers), 0::bigint, 'a worker that stopped long ago goes');
SELECT is((SELECT count(*) FROM app.janitor_runs), 1::bigint, 'and old runs');
SELECT is((SELECT count(*) FROM app.api_requests), 1::bigint, 'calls stay for 90 days');

SELECT app.set_retention('api_requests', 20), app.set_retention('failed_jobs', 30, archive => false);
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.api_requests), 0::bigint, 'or as long as was said');
SELECT is((SELECT array_agg(job_id::text) FROM app.jobs), ARRAY[:'open']);
SELECT is((SELECT count(*) FROM app.archived_jobs), 1::bigint, 'where no archive is asked for there is none');
SELECT * FROM finish();
ROLLBACK;
