BEGIN;
SELECT plan(2);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', config => '{"title": "Roads"}') ->> 'request_id' AS id \gset
SELECT tests.end_job(:'id', '{"vector": {}, "client_id": "other", "table_name": "theirs", "request_id": "x", "priority": 99, "title": "Streets"}') \gset
SELECT is((SELECT j.parameters - 'vector' FROM app.jobs AS j WHERE j.job_type = 'stac_catalog_vectors') @> jsonb_build_object('client_id', 'hub', 'table_name', 'base_map_roads_1', 'request_id', :'id'), true, 'identity and names are the request''s');
SELECT is((SELECT j.priority FROM app.jobs AS j WHERE j.job_type = 'stac_catalog_vectors'), 0, 'and so is the priority');
SELECT * FROM finish();
ROLLBACK;
