BEGIN;
SELECT plan(13);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.completed(:'id'), 'completed', 'a request is done');
SELECT is(tests.submitted('hub', file => 'new.gpkg', config => '{"overwrite": true}') - 'status_url',
          jsonb_build_object('request_id', :'id', 'status', 'pending', 'created', true, 'revision', 2, 'warnings', '[]'::jsonb), 'overwrite makes revision 2');
SELECT tests.status('hub', :'id') AS status \gset
SELECT is((:'status'::jsonb) -> 'progress_percent', '0', 'progress starts again');
SELECT is((:'status'::jsonb) #>> '{endpoints,table}', 'geo.t', 'readers keep what they saw');
SELECT is((:'status'::jsonb) -> 'warnings', '[]', 'warnings of the first are gone');
SELECT is((SELECT j.parameters ->> 'table_name' FROM app.jobs AS j WHERE j.revision = 2), 'base_map_roads_1', 'it makes the same table');
SELECT is(tests.end_job(:'id', '{"chunks": [{}], "vector": {"rows": 4}, "endpoints": {"table": "geo.t2"}}'), 'completed', 'its first job is done');
SELECT is(tests.status('hub', :'id') #>> '{endpoints,table}', 'geo.t', 'and readers keep what they saw');
SELECT is(tests.end_job(:'id', '{"endpoints": {"stac_item": "/x"}}'), 'completed', 'its second job is done');
SELECT is(tests.status('hub', :'id') -> 'endpoints', '{"table": "geo.t2", "stac_item": "/x"}', 'and readers see the new');
SELECT is((SELECT array_agg((j.parameters ->> 'revision')::integer) FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'), '{1}', 'the old revision is discarded');
SELECT is(tests.submitted('hub', file => 'new.gpkg', config => '{"overwrite": true}') #>> '{warnings,0,code}', 'ALREADY_OVERWRITTEN', 'the same call again is the same submission');
SELECT is(tests.submitted('hub', file => 'new.gpkg', config => '{"overwrite": true}', client_request_id => 'again') -> 'revision', '3', 'under a new reference it is a new one');
SELECT * FROM finish();
ROLLBACK;
