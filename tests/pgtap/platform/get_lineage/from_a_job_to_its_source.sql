BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT repeat('ab', 32) AS checksum \gset
SELECT tests.submitted('hub', client_request_id => 'ticket 7') ->> 'request_id' AS id \gset
SELECT j.job_id AS job FROM platform.request_jobs AS j WHERE j.sequence = 1 \gset
CREATE FUNCTION pg_temp.lineage(id text) RETURNS jsonb LANGUAGE sql AS $$ SELECT tests.ask('hub', format('SELECT platform.get_lineage(%L) AS lineage', id)) -> 'lineage' $$;
SELECT is(pg_temp.lineage(:'id') #> '{source,checksum}', 'null', 'before it was read, nothing is known of it');
SELECT tests.end_job(:'id', jsonb_build_object('chunks', '[{}]'::jsonb, 'vector', jsonb_build_object('rows', 1, 'source', jsonb_build_object('bytes', 12, 'sha256', :'checksum')), 'endpoints', '{"table": "geo.t"}'::jsonb)) AS first_ended \gset
SELECT tests.end_job(:'id', '{"endpoints": {"stac_item": "/x"}}') AS second_ended \gset
SELECT pg_temp.lineage(:'job') AS lineage \gset
SELECT is((:'lineage'::jsonb) ->> 'request_id', :'id', 'a job leads to its request');
SELECT is((:'lineage'::jsonb) #>> '{job,job_type}', 'ingest_vector', 'and says which it is');
SELECT is((:'lineage'::jsonb) -> 'source', jsonb_build_object('source_path', '/data/hub/roads.gpkg', 'checksum', :'checksum'), 'to its source');
SELECT is((:'lineage'::jsonb) #>> '{made,table}', 'geo.t', 'and to what was made');
SELECT is((:'lineage'::jsonb) #>> '{revisions,0,source_bytes}', '12', 'each revision has what it read');
SELECT is(pg_temp.lineage(:'id') - 'job', (:'lineage'::jsonb) - 'job', 'the request leads to the same');
SELECT is(replace(tests.refusal('other', format('SELECT platform.get_lineage(%L)', :'job'))::text, :'job', ''), replace(tests.refusal('other', format('SELECT platform.get_lineage(%L)', repeat('0', 64)))::text, repeat('0', 64), ''), 'another''s job is as none');
DELETE FROM app.jobs;
SELECT is(pg_temp.lineage(:'job') ->> 'request_id', :'id', 'it outlives the job');
SELECT * FROM finish();
ROLLBACK;
