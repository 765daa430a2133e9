BEGIN;
SELECT plan(15);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
CREATE FUNCTION pg_temp.submit(version text, config jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT tests.refusal('hub', format('SELECT platform.submit_request(%L, %L, %L, %L, processing_config => %L)', 'Base Map', 'roads', version, '/data/hub/roads.gpkg', config))
$$;
SELECT platform.configure_client('hub', '{"concurrent_requests": 2}') \gset
SELECT tests.submitted('hub', '1') ->> 'request_id' AS first \gset
SELECT is(pg_temp.submit('2'), NULL, 'two are open');
SELECT is(pg_temp.submit('3') ->> 'sqlstate', 'GM429', 'a third is refused');
SELECT is(pg_temp.submit('3') #>> '{problems,0,code}', 'TOO_MANY_OPEN_REQUESTS', 'by name');
SELECT is(pg_temp.submit('3') #>> '{problems,0,retryable}', 'true', 'and may be tried again');
SELECT is(pg_temp.submit('2'), NULL, 'what is there already may be submitted again');
SELECT is(tests.submitted('hub', '3', dry_run => true) ->> 'created', 'false', 'and what would be made may be asked');
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L) ->> %L AS is', :'first', 'status')) ->> 'is', 'cancelled', 'one ends');
SELECT is(pg_temp.submit('3'), NULL, 'and there is room for another');
SELECT is(tests.refusal('hub', format('SELECT platform.retry_request(%L)', :'first')) ->> 'sqlstate', 'GM429', 'but not for a retry besides');

SELECT platform.configure_client('hub', '{"concurrent_requests": null, "requests_per_day": 3}') \gset
SELECT is(pg_temp.submit('4') #>> '{problems,0,code}', 'TOO_MANY_REQUESTS', 'three were made today');
SELECT is(tests.submitted('other', '4') ->> 'created', 'true', 'which is no other client''s concern');
SELECT tests.move_clock(interval '25 hours');
SELECT is(pg_temp.submit('4'), NULL, 'tomorrow is another day');

SELECT platform.configure_client('hub', '{"requests_per_day": null, "bytes_per_day": 1000}') \gset
UPDATE platform.requests SET status = 'cancelled' WHERE client_id = 'hub' AND version_id <> '4';
UPDATE app.jobs SET status = 'cancelled' WHERE platform_request_id IN (SELECT request_id FROM platform.requests WHERE version_id <> '4');
DELETE FROM app.ready_stages WHERE stage_id NOT IN (SELECT s.stage_id FROM app.stages s JOIN app.jobs j USING (job_id) JOIN platform.requests r ON r.request_id = j.platform_request_id WHERE r.version_id = '4');
SELECT r.request_id AS fourth FROM platform.requests AS r WHERE r.client_id = 'hub' AND r.version_id = '4' \gset
SELECT tests.end_job(:'fourth', '{"chunks": [{"first": 0}], "vector": {"source": {"bytes": 1000}}}') AS ended \gset
SELECT is(pg_temp.submit('5'), NULL, 'while nothing has been read');
SELECT tests.end_job(:'fourth', '{"endpoints": {}}') AS ended \gset
SELECT is((SELECT (o.status, o.source_bytes)::text FROM platform.outcomes AS o WHERE o.request_id = :'fourth'), '(completed,1000)', 'what was read is noted at the end');
SELECT is(pg_temp.submit('6') #>> '{problems,0,code}', 'TOO_MANY_BYTES', 'and then it is enough for today');
SELECT * FROM finish();
ROLLBACK;
