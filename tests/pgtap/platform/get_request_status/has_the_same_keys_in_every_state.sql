BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
CREATE FUNCTION pg_temp.keys(id text) RETURNS text[] LANGUAGE sql AS $$ SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(tests.status('hub', id)) AS k $$;
SELECT pg_temp.keys(:'id') AS keys \gset
SELECT is(:'keys', '{callback_status,client_request_id,completed_at,correlation_id,counts,created_at,dataset_id,elapsed_seconds,endpoints,error,inspection,job,message,outlook,progress_percent,request_id,request_type,resource_id,reused,reused_from,revision,stac_metadata,started_at,status,status_url,tasks,updated_at,version_id,warnings}'::text, 'pending');
SELECT is((SELECT count(*) FROM app.claim_tasks('w0', NULL, 1)), 1::bigint, 'a worker begins');
SELECT is(tests.status('hub', :'id') ->> 'status', 'processing', 'processing');
SELECT is(pg_temp.keys(:'id')::text, :'keys', 'has the same');
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L)', :'id')) #>> '{cancel_request,status}', 'cancelled', 'cancelled');
SELECT is(pg_temp.keys(:'id')::text, :'keys', 'too');
SELECT tests.submitted('hub', '2') ->> 'request_id' AS second \gset
SELECT is(tests.completed(:'second'), 'completed', 'completed');
SELECT is(pg_temp.keys(:'second')::text, :'keys', 'too');
SELECT * FROM finish();
ROLLBACK;
