BEGIN;
SELECT plan(14);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
CREATE FUNCTION pg_temp.began(login text, version text, config jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT tests.submitted(login, version, config, 'scene.tif') ->> 'request_id'
$$;
-- The first task of a request's first job; whoever claims gets this one alone.
CREATE FUNCTION pg_temp.deciding(id text) RETURNS app.tasks LANGUAGE plpgsql AS $$
DECLARE
    task app.tasks;
BEGIN
    PERFORM FROM app.claim_tasks('w1', ARRAY['raster_validate_v2'], 1);
    SELECT t.* INTO STRICT task FROM app.tasks AS t JOIN app.stages AS s ON s.stage_id = t.stage_id JOIN app.jobs AS j ON j.job_id = s.job_id
     WHERE j.platform_request_id = id AND t.status = 'processing';
    RETURN task;
END;
$$;
CREATE FUNCTION pg_temp.noted(id text, recipe text, from_request text DEFAULT NULL) RETURNS boolean LANGUAGE sql AS $$
    SELECT platform.use_artefacts(t.task_id, t.attempt, recipe, 's', from_request) FROM pg_temp.deciding(id) AS t
$$;
CREATE FUNCTION pg_temp.ended(id text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM app.complete_task_and_check_stage(t.task_id, t.attempt, '{"validation": {}}')
       FROM app.tasks AS t JOIN app.stages AS s ON s.stage_id = t.stage_id JOIN app.jobs AS j ON j.job_id = s.job_id
      WHERE j.platform_request_id = id AND t.status = 'processing';
    PERFORM tests.end_job(id, '{"cog": {}, "endpoints": {"cog": "file:///c"}}');
    RETURN id;
END;
$$;
CREATE FUNCTION pg_temp.found(id text, recipe text, software text DEFAULT 's') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    task CONSTANT app.tasks := pg_temp.deciding(id);
BEGIN
    RETURN (SELECT array_agg(e.request_id) FROM platform.equal_requests(task.task_id, task.attempt, recipe, software) AS e);
END;
$$;
CREATE FUNCTION pg_temp.asked(login text, version text, config jsonb DEFAULT '{}', recipe text DEFAULT 'a', software text DEFAULT 's') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    id constant text := pg_temp.began(login, version, config);
    found constant text[] := pg_temp.found(id, recipe, software);
BEGIN
    PERFORM tests.ask(login, format('SELECT platform.cancel_request(%L, %L)', id, 'asked'));
    RETURN found;
END;
$$;
SELECT app.pause_task_type('discard_v3', 'only the requests'' own jobs are worked on') \gset
SELECT pg_temp.began('hub', 'v1') AS v1 \gset
SELECT ok(pg_temp.noted(:'v1', 'a'), 'what it makes is noted');
SELECT is(pg_temp.asked('hub', 'early'), NULL, 'not before it is shown');
SELECT pg_temp.ended(:'v1') \gset
SELECT is(pg_temp.asked('hub', 'v2'), ARRAY[:'v1'], 'the same bytes with the same options');
SELECT is(pg_temp.asked('hub', 'named', '{"title": "T", "priority": 3, "tier": "analysis"}'), ARRAY[:'v1'], 'however they are named, and whether or not a default was written out');
SELECT is(pg_temp.asked('hub', 'bytes', recipe => 'b'), NULL, 'other bytes');
SELECT is(pg_temp.asked('hub', 'software', software => 't'), NULL, 'other software');
SELECT is(pg_temp.asked('hub', 'options', '{"tier": "archive"}'), NULL, 'another option');
SELECT is(pg_temp.asked('hub', 'reprocess', '{"reprocess": true}'), NULL, 'who does not want it');
SELECT is(pg_temp.asked('other', 'v2'), NULL, 'another client never');
SELECT pg_temp.began('other', 'v3') AS theirs \gset
SELECT ok(NOT pg_temp.noted(:'theirs', 'a', :'v1'), 'not even by its id');
SELECT tests.ask('other', format('SELECT platform.cancel_request(%L, %L)', :'theirs', 'asked')) \gset
SELECT tests.unpublish('hub', :'v1', false) \gset
SELECT is(pg_temp.asked('hub', 'v3'), NULL, 'what is being taken back is shown no more');
SELECT is((SELECT made_by || made_in FROM platform.release_artefacts(:'v1', 1, 1)), :'v1' || 1, 'what nobody else uses may go');
SELECT pg_temp.began('hub', 'v4') AS v4 \gset
SELECT ok(NOT pg_temp.noted(:'v4', 'a', :'v1'), 'and nobody comes to use it');
SELECT throws_ok('SELECT * FROM platform.equal_requests(1, 1, ''a'', ''s'')', 'GM409', NULL, 'only the current attempt asks');
SELECT * FROM finish();
ROLLBACK;
