BEGIN;
SELECT plan(9);
CREATE FUNCTION tests.waits(job text) RETURNS text LANGUAGE sql AS $$ SELECT waits_for FROM app.waiting() WHERE job_id = job $$;
SELECT tests.given_workflow('a', '[{"task_type": "a", "fan_out": "count", "path": "$.n"}]');
SELECT tests.given_workflow('b', '[{"task_type": "b", "backoff_seconds": 60}]');
SELECT tests.given_job('a', '{"n": 2}') AS a \gset
SELECT is(tests.waits(:'a'), 'a worker that claims its type');
SELECT app.register_worker('w1', '{a}');
SELECT is(tests.waits(:'a'), 'its turn');
SELECT is((SELECT (place, ready, delayed, running)::text FROM app.waiting()), '(0,2,0,0)', 'it is the first');
SELECT tests.given_job('b', '{}') AS b \gset
SELECT is(tests.waits(:'b'), 'a worker that claims its type', 'nobody claims that');
SELECT app.pause_task_type('a', 'disk is full');
SELECT is(tests.waits(:'a'), 'its task type, paused: disk is full');
SELECT app.fail_task(task_id, attempt, tests.error(true)) FROM app.claim_tasks('w2', '{b}', 1);
SELECT is(tests.waits(:'b'), 'a retry''s time');
SELECT app.submit_job_with_options('b', '{"later": 1}', jsonb_build_object('run_at', to_char(app.clock() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) AS later \gset
SELECT is(tests.waits(:'later'), 'its time');
SELECT app.submit_job_with_options('b', '{"whose": 1}', '{"client_id": "hub"}') AS whose \gset
SELECT app.pause_client('hub', 'unpaid');
SELECT is(tests.waits(:'whose'), 'its client, paused: unpaid');
SELECT tests.given_job('a', '{"n": 1}') AS runs \gset
SELECT app.resume_task_type('a');
SELECT count(*) FROM app.claim_tasks('w2', '{a}', 3) \gset
SELECT is(tests.waits(:'runs'), NULL, 'what runs does not wait');
SELECT * FROM finish();
ROLLBACK;
