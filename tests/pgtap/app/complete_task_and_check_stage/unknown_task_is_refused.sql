BEGIN;
SELECT plan(3);
SELECT throws_ok($$SELECT * FROM app.complete_task_and_check_stage(1, 1, '{}')$$, 'GM404');
SELECT throws_ok($$SELECT * FROM app.complete_task_and_check_stage(NULL, 1, '{}')$$, 'GM404');
SELECT is(tests.detail_of($$SELECT * FROM app.complete_task_and_check_stage(1, 1, '{}')$$) ->> 'code', 'NO_SUCH_TASK');
SELECT * FROM finish();
ROLLBACK;
