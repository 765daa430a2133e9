BEGIN;
SELECT plan(10);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT task_id AS old_task, attempt AS old_attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT delivery_id, message_id FROM platform.begin_delivery(:old_task, :old_attempt) \gset
SELECT platform.redeliver_webhook(:delivery_id) AS new_job \gset
SELECT is(:'new_job'::text, (SELECT l.job_id FROM platform.list_deliveries('pending') AS l)::text, 'a job of its own');
SELECT is_empty(format('SELECT * FROM platform.begin_delivery(%s, %s)', :old_task, :old_attempt), 'the job before makes no call');
SELECT is(platform.record_failed_call(:old_task, :old_attempt, 'late'), false, 'and has nothing to say');
SELECT app.complete_task_and_check_stage(:old_task, :old_attempt, '{}') \gset
SELECT is((SELECT d.status::text FROM platform.webhook_deliveries AS d), 'pending', 'nor does its end mean anything');
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT is((SELECT b.message_id FROM platform.begin_delivery(:task_id, :attempt) AS b), :'message_id', 'the new one sends the same message');
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{}') \gset
SELECT is((SELECT d.status::text FROM platform.webhook_deliveries AS d), 'sent', 'and it is sent');
SELECT isnt(platform.redeliver_webhook(:delivery_id), NULL, 'what was sent is sent again where its receiver lost it');
SELECT is(tests.status('hub', :'id') ->> 'callback_status', 'pending', 'and is owed until then');
SELECT is(tests.detail_of('SELECT platform.redeliver_webhook(0)') ->> 'code', 'NO_SUCH_DELIVERY', 'what is not there is refused');
SELECT ok(has_function_privilege('geomill_admin', 'platform.redeliver_webhook(bigint)', 'EXECUTE')
          AND NOT has_function_privilege('geomill_client', 'platform.redeliver_webhook(bigint)', 'EXECUTE'), 'administrators ask for it, and no one else');
SELECT * FROM finish();
ROLLBACK;
