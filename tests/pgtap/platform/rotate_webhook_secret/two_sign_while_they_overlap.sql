BEGIN;
SELECT plan(7);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT is(platform.rotate_webhook_secret('hub', interval '2 days'), 2, 'the next generation');
SELECT is((SELECT b.generations FROM platform.begin_delivery(:task_id, :attempt) AS b), '{2,1}', 'both sign');
SELECT tests.move_clock(interval '49 hours') \gset
SELECT is((SELECT b.generations FROM platform.begin_delivery(:task_id, :attempt) AS b), '{2}', 'until the overlap is over');
SELECT platform.rotate_webhook_secret('hub', '0') \gset
SELECT is((SELECT b.generations FROM platform.begin_delivery(:task_id, :attempt) AS b), '{3}', 'without one, the old ends at once');
SELECT is(tests.detail_of($$SELECT platform.rotate_webhook_secret('nobody')$$) ->> 'code', 'NO_SUCH_CLIENT', 'an unknown client is refused');
SELECT is(tests.detail_of($$SELECT platform.rotate_webhook_secret('hub', '-1 day')$$) ->> 'code', 'OUT_OF_RANGE', 'and so is time that runs back');
SELECT ok(has_function_privilege('geomill_admin', 'platform.rotate_webhook_secret(text, interval)', 'EXECUTE')
          AND NOT has_function_privilege('geomill_client', 'platform.rotate_webhook_secret(text, interval)', 'EXECUTE'), 'administrators do it');
SELECT * FROM finish();
ROLLBACK;
