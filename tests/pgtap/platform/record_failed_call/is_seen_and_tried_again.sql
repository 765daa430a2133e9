BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT delivery_id FROM platform.begin_delivery(:task_id, :attempt) \gset
SELECT ok(platform.record_failed_call(:task_id, :attempt, 'the receiver answered 503'), 'it is written down');
SELECT app.fail_task(:task_id, :attempt, tests.error(true)) \gset
SELECT is((SELECT (l.status, l.attempts, l.last_error)::text FROM platform.list_deliveries('failed') AS l), '(failed,1,"the receiver answered 503")', 'where operators see it');
SELECT ok((SELECT l.next_attempt_at BETWEEN app.clock() + interval '20 seconds' AND app.clock() + interval '40 seconds' FROM platform.list_deliveries() AS l), 'with the time of the next');
SELECT is(tests.status('hub', :'id') ->> 'callback_status', 'failed', 'and where the client does');
SELECT throws_ok(format('SELECT platform.record_failed_call(%s, %s, %L)', :task_id, :attempt, 'late'), 'GM409', NULL, 'a stale attempt writes nothing');
SELECT tests.move_clock(interval '1 minute') \gset
SELECT attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT delivery_id FROM platform.begin_delivery(:task_id, :attempt) \gset
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{"http_status": 200}') \gset
SELECT is((SELECT (d.status, d.attempts)::text FROM platform.webhook_deliveries AS d), '(sent,2)', 'the next gets through');
SELECT ok((SELECT d.completed_at IS NOT NULL FROM platform.webhook_deliveries AS d), 'and that is its end');
SELECT is(tests.status('hub', :'id') ->> 'callback_status', 'sent', 'for the client too');
SELECT is((SELECT l.next_attempt_at FROM platform.list_deliveries('sent') AS l), NULL, 'nothing is waited for');
SELECT * FROM finish();
ROLLBACK;
