BEGIN;
SELECT plan(17);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
INSERT INTO platform.rejects (request_id, revision, job_id, source, code, reason) VALUES (:'id', 1, 'j', 'roads.gpkg', 'C', 'r');

SELECT tests.unpublish('hub', :'id', false) AS said \gset
SELECT is((:'said'::jsonb) #>> '{job,job_type}', 'unpublish_vector', 'a job of the engine');
SELECT is((:'said'::jsonb) #>> '{job,status}', 'pending', 'is to do it');
SELECT is((:'said'::jsonb) ->> 'status', 'completed', 'the request is not unpublished yet');
SELECT is((:'said'::jsonb) ->> 'message', 'being unpublished', 'and says what goes on');
SELECT is(tests.unpublish('hub', :'id', false) #>> '{job,job_id}', (:'said'::jsonb) #>> '{job,job_id}', 'asked again it is the same job');
SELECT task_id, attempt FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.complete_task_and_check_stage(:task_id, :attempt, '{}') \gset
SELECT is(tests.status('hub', :'id') ->> 'status', 'completed', 'nor while files are left');
SELECT isnt(tests.status('hub', :'id') -> 'endpoints', 'null', 'which it shows');
SELECT is(tests.end_job(:'id', '{"files": 0, "kept_collections": ["hub_maps"]}'), 'completed', 'the job ends');
SELECT tests.status('hub', :'id') AS status \gset
SELECT is((:'status'::jsonb) ->> 'status', 'unpublished', 'now it is');
SELECT is(jsonb_build_array((:'status'::jsonb) -> 'endpoints', (:'status'::jsonb) -> 'stac_metadata'), '[null, null]', 'and shows nothing any more');
SELECT is((:'status'::jsonb) #>> '{warnings,0,code}', 'COLLECTION_KEPT', 'but what stays');
SELECT is((SELECT count(*) FROM platform.rejects), 0::bigint, 'rejects are gone');
SELECT is((SELECT t.table_name::text FROM platform.geo_tables AS t WHERE t.request_id = :'id'), 'base_map_roads_1', 'the name of the table is still its own');
SELECT is(tests.unpublish('hub', :'id', false) ->> 'status', 'unpublished', 'again: the same answer');
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.job_type LIKE 'unpublish%'), 1::bigint, 'and nothing to do');
SELECT is(tests.submitted('hub') -> 'revision', '2', 'submitted again it is a new revision');
SELECT is(tests.completed(:'id'), 'completed', 'that comes to its end');
SELECT * FROM finish();
ROLLBACK;
