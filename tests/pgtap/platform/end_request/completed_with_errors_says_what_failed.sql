BEGIN;
SELECT plan(5);
SELECT tests.given_client() \gset
SELECT tests.ask('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x/', 'collection')$$) ->> 'request_id' AS id \gset
DO $$
DECLARE
    task record;
BEGIN
    LOOP
        SELECT * INTO task FROM app.claim_tasks('w1', NULL, 1);
        EXIT WHEN NOT FOUND;
        IF task.task_type = 'collection_convert_v3' AND task.task_index = 1 THEN
            PERFORM app.fail_task(task.task_id, task.attempt, tests.error());
        ELSE
            PERFORM app.complete_task_and_check_stage(task.task_id, task.attempt, '{"members": [{"href": "a"}, {"href": "b"}], "endpoints": {"stac_collection": "/collections/c"}}');
        END IF;
    END LOOP;
END $$;
SELECT tests.status('hub', :'id') AS status \gset
SELECT is((:'status'::jsonb) ->> 'status', 'completed_with_errors', 'it has published');
SELECT is((:'status'::jsonb) #>> '{warnings,0,message}', '1 of 2 tasks of process_raster_collection failed in stage convert', 'and says how much failed');
SELECT is((:'status'::jsonb) #>> '{warnings,0,errors,0,code}', 'TEST_FAILURE', 'and why');
SELECT is((:'status'::jsonb) -> 'progress_percent', '100', 'it has ended');
SELECT is((:'status'::jsonb) #>> '{endpoints,stac_collection}', '/collections/c', 'with a result');
SELECT * FROM finish();
ROLLBACK;
