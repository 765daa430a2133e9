BEGIN;
SELECT plan(4);
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
SELECT tests.given_workflow('one', '[{"max_runtime_seconds": 600}]');
SELECT count(tests.given_job('one', jsonb_build_object('i', i))) FROM generate_series(1, 3) AS i;
SELECT count(*) FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT tests.move_clock(interval '5 minutes');
SELECT count(*) FROM app.claim_tasks('w2', NULL, 1) \gset
SELECT results_eq('SELECT worker_id::text, job_type::text, extract(minute FROM running_for)::integer, extract(minute FROM overdue_in)::integer, last_beat_ago > interval ''4 minutes'' FROM app.running_tasks()',
                  $$VALUES ('w1', 'one', 5, 4, true), ('w2', 'one', 0, 9, false)$$);
SELECT app.complete_task_and_check_stage(task_id, attempt, NULL) FROM app.running_tasks() WHERE worker_id = 'w1';
SELECT is((SELECT array_agg(worker_id::text) FROM app.running_tasks()), '{w2}', 'what has ended is gone, though its worker has not turned since');
SELECT is((SELECT count(*) FROM tests.ask('boss', 'SELECT * FROM app.running_tasks()')), 1::bigint, 'administrators see it');
SELECT throws_ok($$SET LOCAL ROLE geomill_worker; SELECT * FROM app.running_tasks()$$, '42501');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
