BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT task_id, attempt FROM app.claim_tasks('w1', '{webhook_deliver}', 1) \gset
SELECT 'gms1.0123abcd.' || repeat('A', 60) AS sealed \gset
SELECT is(tests.detail_of($$SELECT platform.set_webhook_secret('hub', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')$$) ->> 'code', 'SECRET_NOT_SEALED', 'a secret in the clear is refused');
SELECT is(tests.detail_of($$SELECT platform.set_webhook_secret('hub', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')$$)::text ~ 'MfKQ', false, 'and not repeated');
SELECT is(tests.detail_of(format('SELECT platform.set_webhook_secret(%L, %L)', 'nobody', :'sealed')) ->> 'code', 'NO_SUCH_CLIENT', 'a client must be there');
SELECT is(platform.set_webhook_secret('hub', :'sealed', interval '2 days'), 2, 'one that is sealed is the next generation');
SELECT is((SELECT b.secrets FROM platform.begin_delivery_v2(:task_id, :attempt) AS b),
          jsonb_build_array(jsonb_build_object('generation', 2, 'sealed_secret', :'sealed'), jsonb_build_object('generation', 1, 'sealed_secret', NULL)), 'it signs, and the one before besides');
SELECT is(tests.detail_of(format('SELECT * FROM platform.begin_delivery(%s, %s)', :task_id, :attempt)) ->> 'code', 'DELIVERY_PUT_OFF', 'a worker that cannot unseal it signs nothing');
SELECT tests.move_clock(interval '49 hours') \gset
SELECT is((SELECT jsonb_array_length(b.secrets) FROM platform.begin_delivery_v2(:task_id, :attempt) AS b), 1, 'after the overlap it signs alone');
SELECT is(platform.rotate_webhook_secret('hub', '0'), 3, 'geomill may make the next');
SELECT is((SELECT b.secrets FROM platform.begin_delivery_v2(:task_id, :attempt) AS b), '[{"generation": 3, "sealed_secret": null}]', 'which is derived');
SELECT * FROM finish();
ROLLBACK;
