BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT app.pause_task_type('webhook_deliver', 'only requests are worked on') \gset
SELECT tests.submitted('hub', '1', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS one \gset
SELECT tests.completed(:'one') \gset
SELECT tests.submitted('hub', '2', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS two \gset
SELECT tests.fail_job(:'two') \gset
SELECT is((SELECT array_agg(l.request_id::text) FROM platform.list_deliveries() AS l), ARRAY[:'two', :'one'], 'newest first');
SELECT is((SELECT array_agg(l.request_id::text) FROM platform.list_deliveries(limit_rows => 1, before => (SELECT max(d.delivery_id) FROM platform.webhook_deliveries AS d)) AS l),
          ARRAY[:'one'], 'page by page');
SELECT is_empty($$SELECT * FROM platform.list_deliveries('dead')$$, 'of a status');
SELECT is((SELECT count(*) FROM platform.list_deliveries('pending')), 2::bigint, 'these are owed');
SELECT is(tests.detail_of($$SELECT platform.list_deliveries('lost')$$) ->> 'code', 'NOT_ALLOWED', 'an unknown status is refused');
SELECT ok(has_function_privilege('geomill_admin', 'platform.list_deliveries(text, integer, bigint)', 'EXECUTE')
          AND NOT has_function_privilege('geomill_client', 'platform.list_deliveries(text, integer, bigint)', 'EXECUTE'), 'administrators see it');
SELECT * FROM finish();
ROLLBACK;
