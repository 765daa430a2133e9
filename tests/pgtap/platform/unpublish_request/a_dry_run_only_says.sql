BEGIN;
SELECT plan(12);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT app.stac_ensure_collection(tests.stac_collection('hub_vectors'));
SELECT app.stac_upsert_items(jsonb_build_array(tests.stac_item('hub_vectors', r.stac_item_id, request => r.request_id))) FROM platform.requests AS r;
CREATE TABLE geo.base_map_roads_1 ();
SELECT format('COMMENT ON TABLE geo.base_map_roads_1 IS %L', format(E'Roads\n\ngeomill: client=hub request=%s revision=1 job=j first', :'id')) \gexec

SELECT tests.unpublish('hub', :'id') AS said \gset
SELECT is(ARRAY(SELECT jsonb_object_keys(:'said'::jsonb) ORDER BY 1), '{dry_run,files,job,message,request_id,request_type,revision,stac_collection,stac_items,statistics,status,table,tables,warnings}', 'the keys');
SELECT is((:'said'::jsonb) -> 'dry_run', 'true', 'by default it is a dry run');
SELECT is((:'said'::jsonb) ->> 'table', 'geo.base_map_roads_1', 'the table');
SELECT is((:'said'::jsonb) -> 'stac_items', '["/collections/hub_vectors/items/Base Map_roads_1"]', 'the item');
SELECT is((:'said'::jsonb) -> 'stac_collection', 'null', 'but not the collection, which is everybody''s');
SELECT is((:'said'::jsonb) -> 'files', '{"hrefs": [], "storage_prefix": null}', 'there are no files');
SELECT is((:'said'::jsonb) -> 'statistics', '[]', 'nothing was measured');
SELECT is((:'said'::jsonb) -> 'job', 'null', 'no job');
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.job_type LIKE 'unpublish%'), 0::bigint, 'was started');
SELECT is(tests.status('hub', :'id') ->> 'status', 'completed', 'and the request is what it was');
SELECT format('COMMENT ON TABLE geo.base_map_roads_1 IS %L', 'Roads of a stranger') \gexec
SELECT is(tests.unpublish('hub', :'id') -> 'table', 'null', 'a table without its mark is not the request''s');
SELECT tests.given_grid('g', '85283473fffffff', 6);
SELECT tests.given_run('hub/roads', 'g', 6, 5, 1, 'hub', :'id'), tests.given_run('hub/roads', 'g', 6, 6, 2, 'hub', :'id') \gset
SELECT h3.publish_run(r.run_id) FROM h3.zonal_runs AS r WHERE r.version = 1;
SELECT is(tests.unpublish('hub', :'id') -> 'statistics',
          '[{"dataset_id": "hub/roads", "grid_id": "g", "version": 1, "resolution": 6, "revision": 1, "cells": 7, "is_current": true}]',
          'what was measured of it goes, too; what is measured of a later revision does not');
SELECT * FROM finish();
ROLLBACK;
