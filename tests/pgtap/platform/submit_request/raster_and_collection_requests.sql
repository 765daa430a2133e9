BEGIN;
SELECT plan(7);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', file => 'dem.tif') ->> 'request_id' AS raster \gset
SELECT is((SELECT (j.job_type, j.parameters ->> 'stac_collection')::text FROM app.jobs AS j WHERE j.platform_request_id = :'raster'), '(validate_raster,hub_rasters)', 'a raster is validated first');
SELECT is(tests.end_job(:'raster', '{"validation": {"kind": "dem"}}'), 'completed', 'then');
SELECT is((SELECT j.parameters -> 'validation' FROM app.jobs AS j WHERE j.platform_request_id = :'raster' AND j.job_type = 'process_raster'), '{"kind": "dem"}', 'it is processed, knowing what was found');
SELECT tests.ask('hub', $$SELECT * FROM platform.submit_request('Scenes', 'May', '1', '[ "/data/hub/a.tif", "/data/hub/b.tif" ]')$$) ->> 'request_id' AS list \gset
SELECT is((SELECT (r.request_type, r.stac_collection, r.table_name)::text FROM platform.requests AS r WHERE r.request_id = :'list'), '(collection,hub_scenes_may_1,)', 'a list is a collection with a STAC collection of its own');
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('Scenes', 'May', '1', '["/data/hub/a.tif","/data/hub/b.tif"]')$$) ->> 'created', 'false', 'however it is spaced');
SELECT is(tests.ask('hub', $$SELECT * FROM platform.submit_request('Scenes', 'June', '1', '/data/hub/june/', 'collection')$$) ->> 'created', 'true', 'so is a prefix that is called one');
SELECT is((SELECT count(*) FROM platform.geo_tables), 0::bigint, 'and none reserves a table');
SELECT * FROM finish();
ROLLBACK;
