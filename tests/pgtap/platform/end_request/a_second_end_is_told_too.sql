BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.fail_job(:'id') \gset
SELECT app.pause_task_type('discard_v3', 'only the request''s own jobs are worked on') \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT message_id FROM platform.begin_delivery(:task_id, :attempt) \gset
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{}') \gset
SELECT is(tests.status('hub', :'id') ->> 'callback_status', 'sent', 'the client knows that it failed');
SELECT app.retry_job((SELECT j.job_id FROM app.jobs AS j WHERE j.platform_request_id = :'id')) \gset
SELECT is(tests.completed(:'id'), 'completed', 'an operator takes it up again');
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT is((SELECT b.body::jsonb ->> 'status' FROM platform.begin_delivery(:task_id, :attempt) AS b), 'completed', 'the client is told of the new end');
SELECT isnt((SELECT b.message_id FROM platform.begin_delivery(:task_id, :attempt) AS b), :'message_id', 'as a message of its own');
SELECT * FROM finish();
ROLLBACK;
