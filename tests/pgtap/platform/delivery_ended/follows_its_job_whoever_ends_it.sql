BEGIN;
SELECT plan(5);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT l.job_id FROM platform.list_deliveries() AS l \gset
SELECT app.cancel_job(:'job_id', 'not wanted') \gset
SELECT is((SELECT d.status::text FROM platform.webhook_deliveries AS d), 'dead', 'cancelled by an operator, it is dead');
SELECT isnt((SELECT d.last_error FROM platform.webhook_deliveries AS d), NULL, 'and says why');
SELECT app.retry_job(:'job_id') \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT delivery_id FROM platform.begin_delivery(:task_id, :attempt) \gset
SELECT is((SELECT d.status::text FROM platform.webhook_deliveries AS d), 'pending', 'taken up again, it is owed');
SELECT app.fail_task(:task_id, :attempt, tests.error()) \gset
SELECT is((SELECT d.status::text FROM platform.webhook_deliveries AS d), 'dead', 'what is not worth another attempt is dead at once');
SELECT app.redrive_task(:task_id) \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT delivery_id FROM platform.begin_delivery(:task_id, :attempt) \gset
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{}') \gset
SELECT is((SELECT (d.status, r.callback_status)::text FROM platform.webhook_deliveries AS d JOIN platform.requests AS r USING (request_id)), '(sent,sent)', 'and redriven it is sent');
SELECT * FROM finish();
ROLLBACK;
