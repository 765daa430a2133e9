BEGIN;
SELECT plan(8);
SELECT app.set_cap('client', 'hub', 2);
SELECT app.submit_job_with_options('hello_world', '{"n": 5}', jsonb_build_object('client_id', 'hub',
    'run_at', to_char(app.clock() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) AS job \gset
SELECT is((SELECT count(*) FROM app.slots WHERE task_id IS NOT NULL), 0::bigint, 'not before its time');
SELECT tests.move_clock(interval '2 hours');
SELECT app.heartbeat('w1') FROM app.register_worker('w1');
SELECT is((SELECT count(*) FROM app.claim_tasks('w1', NULL, 10)), 2::bigint, 'then within the cap');
SELECT app.pause_client('hub', 'the test wants it');
SELECT is((SELECT count(*) FROM app.capped_stages), 0::bigint, 'paused, it does not stand in line');
SELECT app.complete_task_and_check_stage(task_id, attempt, '{}') FROM app.tasks WHERE status = 'processing';
SELECT is((SELECT count(*) FROM app.claim_tasks('w1', NULL, 10)), 0::bigint);
SELECT app.resume_client('hub');
SELECT is((SELECT count(*) FROM app.claim_tasks('w1', NULL, 10)), 2::bigint, 'resumed, it does');
SELECT app.complete_task_and_check_stage(task_id, attempt, '{}') FROM app.tasks WHERE status = 'processing';
SELECT is(tests.work('w1'), 6);
SELECT is(tests.job_status(:'job'), 'completed');
SELECT is((SELECT count(*) FROM app.slots WHERE task_id IS NOT NULL), 0::bigint);
SELECT * FROM finish();
ROLLBACK;
