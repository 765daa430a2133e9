BEGIN;
SELECT plan(27);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.given_grid('g', '85283473fffffff', 6) AS cells \gset
SELECT app.pause_task_type('discard_v3', 'only the requests'' own jobs are worked on'), app.pause_task_type('webhook_deliver', 'nobody is called') \gset
CREATE FUNCTION pg_temp.call(source text, config jsonb DEFAULT '{"h3": {"grid_id": "g", "resolution": 6}}', type text DEFAULT 'h3_statistics', dry_run boolean DEFAULT false)
RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT * FROM platform.submit_request(%L, %L, %L, %L, %L, %L, %L, dry_run => %L)', 'Base Map', 'cells', '1', source, type, config, 'https://hub.example.org/hook', dry_run) $$;
SELECT tests.submitted('hub') ->> 'request_id' AS roads \gset
SELECT 'request:' || :'roads' AS source \gset
SELECT is(tests.refusal('hub', pg_temp.call(:'source')) ->> 'sqlstate', 'GM409', 'what is under way is not measured yet');
SELECT is(tests.refused('hub', pg_temp.call(:'source')), '{source_path NOT_PUBLISHED}', 'and that is said');
SELECT tests.completed(:'roads') \gset

-- What names nothing that can be measured.
SELECT is(tests.refused('other', pg_temp.call(:'source')), '{source_path NO_SUCH_REQUEST}', 'another client''s request');
SELECT is(tests.refused('hub', pg_temp.call('request:' || repeat('0', 32))), '{source_path NO_SUCH_REQUEST}', 'is one that does not exist');
SELECT is(tests.refused('hub', pg_temp.call('/data/hub/roads.gpkg')), '{source_path NOT_A_REQUEST}', 'a file is not measured');
SELECT is(tests.refused('hub', pg_temp.call(NULL)), '{source_path NOT_A_REQUEST}', 'nor is nothing');
SELECT is(tests.refused('hub', pg_temp.call(:'source', type => 'vector', config => '{}')), '{source_path SOURCE_NOT_A_PATH}', 'a request is no file');
SELECT is(tests.refused('hub', pg_temp.call(:'source', type => NULL)), '{request_type REQUEST_TYPE_UNKNOWN}', 'and the type is not inferred');
-- What is wrong with how.
SELECT is(tests.refused('hub', pg_temp.call(:'source', '{"title": "x"}')), '{processing_config.h3 REQUIRED,processing_config.title UNKNOWN_KEY}', 'there is no item to have a title');
SELECT is(tests.refused('hub', pg_temp.call(:'source', '{"h3": {"grid_id": "none", "resolution": 6}}')), '{processing_config.h3.grid_id GRID_NOT_FOUND}', 'the grid has to be there');

SELECT is(tests.ask('hub', pg_temp.call(:'source', dry_run => true)) #> '{warnings,0,would_use}', '{"request_type": "h3_statistics"}', 'a dry run names no table and no item');
SELECT tests.ask('hub', pg_temp.call(:'source')) AS made \gset
SELECT (:'made'::jsonb) ->> 'request_id' AS id \gset
SELECT is((:'made'::jsonb) - 'request_id' - 'status_url', '{"status": "pending", "created": true, "revision": 1, "warnings": []}', 'a request is made');
SELECT is(tests.ask('hub', pg_temp.call(:'source')) - 'status_url', jsonb_build_object('request_id', :'id', 'status', 'pending', 'created', false, 'revision', 1, 'warnings', '[]'::jsonb), 'and is the same again');
SELECT is((SELECT j.parameters - 'h3' FROM app.jobs AS j WHERE j.platform_request_id = :'id'),
          jsonb_build_object('endpoints', '{"table": "geo.t", "stac_item": "/collections/c/items/i"}'::jsonb, 'dataset', 'hub/Base Map_cells_1', 'request_id', :'id', 'revision', 1,
                             'client_id', 'hub', 'client_role', 'hub', 'stac_collection', 'hub_vectors', 'stac_item_id', 'Base Map_roads_1'),
          'its job measures what the other request shows, under a name of its own');
SELECT is(tests.refused('hub', pg_temp.call(:'source', '{"h3": {"grid_id": "g", "resolution": 6, "weighting": "area"}}')), '{version_id REQUEST_EXISTS}', 'another measurement is other content');
SELECT is(tests.refused('hub', pg_temp.call('request:' || :'id')), '{source_path NOT_MEASURABLE}', 'statistics are not measured');

-- Cancelled and tried again; what the job before had measured goes when that ends late.
SELECT tests.given_run('hub/Base Map_cells_1', 'g', 6, 6, 1, 'hub', :'id') AS run \gset
SELECT j.job_id AS old FROM app.jobs AS j WHERE j.platform_request_id = :'id' \gset
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L) AS s', :'id')) #>> '{s,status}', 'cancelled', 'it is cancelled');
SELECT is((tests.ask('hub', format('SELECT platform.retry_request(%L) AS s', :'id')) -> 's') @> '{"status": "pending", "revision": 2}', true, 'and tried again');
SELECT app.retry_job(:'old') \gset
SELECT app.cancel_job(:'old') \gset
SELECT is_empty(format('SELECT FROM h3.zonal_runs WHERE request_id = %L', :'id'), 'a job of the revision before ends late, and leaves nothing');
SELECT is(tests.status('hub', :'id') ->> 'status', 'pending', 'nor does it move the request');

SELECT is(tests.end_job(:'id', '{"parents": ["85283473fffffff"], "endpoints": {"h3": {"view": "h3.statistics"}}}'), 'completed', 'the measurement ends');
SELECT is(tests.status('hub', :'id') @> '{"status": "completed", "revision": 2, "progress_percent": 100, "request_type": "h3_statistics", "stac_metadata": null, "endpoints": {"h3": {"view": "h3.statistics"}}}',
          true, 'and with it the request');
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.platform_request_id = :'id' AND j.job_type = 'h3_zonal_statistics'), 2::bigint, 'no measurement follows it');
SELECT is((SELECT (d.status, d.payload ->> 'status')::text FROM platform.webhook_deliveries AS d WHERE d.revision = 2), '(pending,completed)', 'the client is owed a call');
SELECT is((SELECT array_agg(l ->> 'status' ORDER BY l ->> 'request_type') FROM tests.ask('hub', 'SELECT * FROM platform.list_requests()') AS l), '{completed,completed}', 'and finds it in its list');
SELECT is(tests.refused('hub', format('SELECT platform.request_statistics(%L, %L)', :'id', '{"grid_id": "g", "resolution": 6}')), '{request_id NOT_MEASURABLE}', 'it has no table or raster to measure');
SELECT is((SELECT jsonb_array_length(s -> 's') FROM tests.ask('hub', format('SELECT platform.get_statistics(%L) AS s', :'id')) AS s), 2, 'its jobs show as measurements');
SELECT * FROM finish();
ROLLBACK;
