BEGIN;
SELECT plan(5);
SELECT tests.given_workflow('sheets', '[{"fan_out": "count", "path": "$.n", "task_parameters": ["of"]}]');
-- The first client asks for a hundred, the second, later, for one.
SELECT count(app.submit_job_with_options('sheets', jsonb_build_object('n', 10, 'of', 'much', 'i', i), '{"client_id": "much"}')) FROM generate_series(1, 100) AS i;
SELECT tests.move_clock(interval '5 seconds');
SELECT app.submit_job_with_options('sheets', '{"n": 10, "of": "little"}', '{"client_id": "little"}');
SELECT tests.move_clock(interval '1 second');
SELECT is((SELECT array_agg(parameters ->> 'of' ORDER BY task_id) FROM app.claim_tasks('w1', NULL, 20)), array_fill('much'::text, '{10}') || array_fill('little'::text, '{10}'),
    'after the first job of who came first comes the other client''s');
SELECT is((SELECT max(share_until) - min(share_until) BETWEEN interval '985 seconds' AND interval '995 seconds' FROM app.jobs WHERE client_id = 'much'), true,
    'for each task of its jobs a client''s next one stands a second further back');
SELECT app.submit_job_with_options('sheets', '{"n": 1, "of": "urgent"}', '{"client_id": "much", "priority": 1}');
SELECT is((SELECT parameters ->> 'of' FROM app.claim_tasks('w1', NULL, 1)), 'urgent', 'its own urgent work does not stand behind its backlog');
SELECT app.submit_job_with_options('sheets', '{"n": 100000, "of": "large"}', '{"client_id": "large"}');
SELECT ok((SELECT share_until <= app.clock() + interval '10 minutes' FROM app.jobs WHERE client_id = 'large'), 'one job costs ten minutes at most');
SELECT is((SELECT share_until FROM app.jobs WHERE job_id = app.submit_job('hello_world', '{"n": 7}')), NULL, 'who is no client has no share');
SELECT * FROM finish();
ROLLBACK;
