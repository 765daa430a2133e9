BEGIN;
SELECT plan(5);
-- Everything that a busy engine has at once: stages untouched, half done, armed with stragglers, waiting for a retry, not due, of
-- a paused client; jobs between stages; ended ones; a request, and an owed webhook.
CREATE FUNCTION tests.everything() RETURNS TABLE (what text, rows text) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH what IN ARRAY ARRAY['app.jobs', 'app.stages', 'app.tasks', 'app.task_inputs', 'app.task_results', 'app.task_errors', 'app.ready_stages',
                                'app.parked_stages', 'app.workers', 'app.archived_jobs', 'platform.requests', 'platform.request_jobs', 'platform.webhook_deliveries'] LOOP
        EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(t) || jsonb_build_object(''ctid'', t.ctid) ORDER BY t.ctid)::text, ''[]'') FROM %s AS t', what) INTO rows;
        RETURN NEXT;
    END LOOP;
END;
$$;
SELECT tests.given_client() \gset
SELECT tests.given_workflow('wide', '[{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "backoff_seconds": 3000}, {}]');
SELECT tests.given_job('wide', '{"n": 5, "which": "done"}') \gset
SELECT tests.work('w1', 6);
SELECT tests.given_job('wide', '{"n": 5, "which": "armed, with stragglers"}') AS armed \gset
WITH claimed AS MATERIALIZED (SELECT * FROM app.turn('w1', '[]', NULL, 5))
SELECT FROM app.turn('w1', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)) FROM claimed WHERE task_index >= 3), NULL, 0);
SELECT tests.given_job('wide', '{"n": 5, "which": "half done, one waits, one failed"}') \gset
WITH claimed AS MATERIALIZED (SELECT * FROM app.turn('w2', '[]', NULL, 3))
SELECT FROM app.turn('w2', (SELECT jsonb_agg(jsonb_build_object('task_id', task_id, 'attempt', attempt)
                                             || CASE task_index WHEN 0 THEN '{}' ELSE jsonb_build_object('error', tests.error(task_index = 1)) END) FROM claimed), NULL, 1);
SELECT tests.given_job('wide', '{"n": 5, "which": "untouched"}') \gset
SELECT app.submit_job_with_options('wide', '{"n": 5, "which": "not due"}', jsonb_build_object('run_at', to_char(app.clock() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) \gset
SELECT app.submit_job_with_options('wide', '{"n": 5, "which": "paused"}', '{"client_id": "other"}') \gset
SELECT app.pause_client('other', 'the test wants it');
SELECT tests.submitted('hub', callback_url => 'https://hub.example.com/done') ->> 'request_id' AS request \gset
SELECT tests.move_clock(interval '2 minutes');
SELECT app.heartbeat('w1'), app.heartbeat('w2');
SELECT is((SELECT (armed, remaining)::text FROM app.stages WHERE job_id = :'armed' AND stage = 1), '(t,3)', 'as given');

CREATE TEMPORARY TABLE before AS SELECT * FROM tests.everything();
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT error FROM app.janitor_runs WHERE run_id = :run), NULL, 'it ran');
SELECT cmp_ok((SELECT (parts #>> '{repair_stages,looked_at}')::integer FROM app.janitor_runs WHERE run_id = :run), '>=', 6, 'it looked at every stage');
SELECT is((SELECT array_agg(a.what) FROM tests.everything() AS a JOIN before AS b USING (what) WHERE a.rows <> b.rows), NULL, 'and not one row is another version');
SELECT is((SELECT count(*) FROM before WHERE rows <> '[]' AND what <> 'app.archived_jobs' AND what <> 'platform.webhook_deliveries' AND what <> 'app.task_inputs'), 10::bigint, 'where there was something to spoil');
SELECT * FROM finish();
ROLLBACK;
