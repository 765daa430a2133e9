BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
CREATE TEMPORARY TABLE seen (nth serial, percent integer, status text);
CREATE FUNCTION pg_temp.look(id text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO seen (percent, status) SELECT (s ->> 'progress_percent')::integer, s ->> 'status' FROM tests.status('hub', id) AS s $$;
-- One task at a time, through the stages of both jobs; the load stage has four tasks.
DO $$
DECLARE
    task record;
    id CONSTANT text := (SELECT r.request_id FROM platform.requests AS r);
BEGIN
    LOOP
        PERFORM pg_temp.look(id);
        SELECT * INTO task FROM app.claim_tasks('w1', NULL, 1);
        EXIT WHEN NOT FOUND;
        PERFORM pg_temp.look(id);
        PERFORM app.complete_task_and_check_stage(task.task_id, task.attempt, CASE task.task_type
            WHEN 'vector_plan' THEN jsonb_build_object('chunks', (SELECT jsonb_agg(jsonb_build_object('first', n)) FROM generate_series(1, 4) AS n))
            ELSE '{"vector": {}}' END);
    END LOOP;
END $$;
SELECT is((SELECT count(*) FROM (SELECT s.percent < lag(s.percent) OVER (ORDER BY s.nth) AS back FROM seen AS s) AS s WHERE s.back), 0::bigint, 'it never went back');
SELECT is((SELECT array_agg(DISTINCT s.percent ORDER BY s.percent) FROM seen AS s), '{0,7,23,38,53,69,92,100}', 'it went by the weights of the stages');
SELECT is((SELECT count(*) FROM seen AS s WHERE s.percent = 100 AND s.status <> 'completed'), 0::bigint, '100 is the end');
SELECT tests.submitted('hub', '2') ->> 'request_id' AS id \gset
SELECT tests.end_job(:'id', '{"vector": {}}') \gset
SELECT tests.status('hub', :'id') ->> 'progress_percent' AS percent \gset
UPDATE app.job_stages SET weight = 1000 WHERE job_type = 'stac_catalog_vectors' AND name = 'catalogue';
SELECT is((SELECT p.percent FROM platform.request_progress(:'id') AS p), 1, 'what is measured anew may be less');
SELECT is(tests.status('hub', :'id') ->> 'progress_percent', :'percent', 'what is shown is not');
SELECT is((SELECT r.progress_percent FROM platform.requests AS r WHERE r.request_id = :'id')::text, :'percent', 'for it is kept');
SELECT * FROM finish();
ROLLBACK;
