BEGIN;
SELECT plan(24);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT app.pause_task_type('discard_v3', 'only the requests'' own jobs are worked on') \gset
CREATE FUNCTION pg_temp.began(login text, version text, config jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT tests.ask(login, format('SELECT * FROM platform.submit_request(%L, %L, %L, %L, %L, %L)', 'Scenes', 'june', version, '/data/' || login || '/x/', 'collection', config)) ->> 'request_id'
$$;
-- The request's task of a type, once all before it is done; whoever claims gets this request's alone.
CREATE FUNCTION pg_temp.at(id text, wanted text) RETURNS app.tasks LANGUAGE plpgsql AS $$
DECLARE
    task app.tasks;
    claimed record;
BEGIN
    LOOP
        SELECT t.* INTO task FROM app.tasks AS t JOIN app.stages AS s ON s.stage_id = t.stage_id JOIN app.jobs AS j ON j.job_id = s.job_id
         WHERE j.platform_request_id = id AND t.status = 'processing' AND t.task_type = wanted;
        EXIT WHEN FOUND;
        PERFORM app.complete_task_and_check_stage(t.task_id, t.attempt, '{"members": [{"href": "a"}]}')
           FROM app.tasks AS t JOIN app.stages AS s ON s.stage_id = t.stage_id JOIN app.jobs AS j ON j.job_id = s.job_id
          WHERE j.platform_request_id = id AND t.status = 'processing';
        SELECT * INTO STRICT claimed FROM app.claim_tasks('w1', NULL, 1);
    END LOOP;
    RETURN task;
END;
$$;
CREATE FUNCTION pg_temp.found(id text, recipe text, software text DEFAULT 's') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    task CONSTANT app.tasks := pg_temp.at(id, 'collection_convert_v3');
BEGIN
    RETURN (SELECT array_agg(e.request_id || coalesce(e.report ->> 'n', '')) FROM platform.equal_members(task.task_id, task.attempt, recipe, software) AS e);
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
CREATE FUNCTION pg_temp.used(id text, item text, key text, recipe text, from_request text) RETURNS boolean LANGUAGE sql AS $$
    SELECT platform.use_member(t.task_id, t.attempt, item, key, recipe, 's', from_request) FROM pg_temp.at(id, 'collection_convert_v3') AS t
$$;
CREATE FUNCTION pg_temp.shown(id text, members jsonb) RETURNS boolean LANGUAGE sql AS $$
    SELECT platform.show_members(t.task_id, t.attempt, members) FROM pg_temp.at(id, 'collection_publish_v2') AS t
$$;
CREATE FUNCTION pg_temp.ended(id text, result jsonb DEFAULT '{}') RETURNS platform.request_status LANGUAGE sql AS $$
    SELECT app.complete_task_and_check_stage(t.task_id, t.attempt, result) FROM pg_temp.at(id, 'collection_publish_v2') AS t;
    SELECT r.status FROM platform.requests AS r WHERE r.request_id = id;
$$;

SELECT pg_temp.began('hub', 'v1') AS v1 \gset
SELECT jsonb_build_array(jsonb_build_object('item_id', 'i1', 'key', 'k1', 'fingerprint', 'a', 'software', 's', 'report', '{"n": 1}'::jsonb),
                         jsonb_build_object('item_id', 'i2', 'key', 'k2', 'fingerprint', 'b', 'software', 's', 'report', '{"n": 2}'::jsonb),
                         jsonb_build_object('item_id', 'i3', 'key', 'k3', 'fingerprint', NULL, 'software', NULL, 'report', '{"n": 3}'::jsonb)) AS made \gset
SELECT ok(pg_temp.shown(:'v1', :'made'), 'what was made is noted');
SELECT is((SELECT array_agg(key::text || made_by ORDER BY key) FROM platform.member_uses), ARRAY['k1' || :'v1', 'k2' || :'v1'], 'but for what nobody could find');
SELECT pg_temp.ended(:'v1') \gset
SELECT is(pg_temp.asked('hub', 'v2'), ARRAY[:'v1' || 1], 'the same bytes with the same options');
SELECT is(pg_temp.asked('hub', 'named', '{"title": "T", "homogeneity": "warn", "on_item_error": "fail", "tier": "analysis"}'), ARRAY[:'v1' || 1], 'however they are named and stand together');
SELECT is(pg_temp.asked('hub', 'bytes', recipe => 'c'), NULL, 'other bytes');
SELECT is(pg_temp.asked('hub', 'software', software => 't'), NULL, 'other software');
SELECT is(pg_temp.asked('hub', 'options', '{"tier": "archive"}'), NULL, 'another option');
SELECT is(pg_temp.asked('hub', 'reprocess', '{"reprocess": true}'), NULL, 'who does not want it');
SELECT is(pg_temp.asked('other', 'v2'), NULL, 'another client never');
SELECT pg_temp.began('other', 'v3') AS theirs \gset
SELECT ok(NOT pg_temp.used(:'theirs', 'j', 'k1', 'a', :'v1'), 'not even by its id');
SELECT tests.ask('other', format('SELECT platform.cancel_request(%L, %L)', :'theirs', 'asked')) \gset
UPDATE platform.requests SET revision = 2, published_revision = 2 WHERE request_id = :'v1';
SELECT is(pg_temp.asked('hub', 'grown'), ARRAY[:'v1' || 1], 'of a collection that grew, earlier revisions'' members, too');
UPDATE platform.requests SET revision = 1, published_revision = 1 WHERE request_id = :'v1';

SELECT pg_temp.began('hub', 'v3') AS v3 \gset
SELECT ok(NOT pg_temp.used(:'v3', 'j1', 'k2', 'a', :'v1'), 'a recipe is not another''s');
SELECT ok(pg_temp.used(:'v3', 'j1', 'k1', 'a', :'v1'), 'what is found is noted');
SELECT ok(:'v1' IN (SELECT * FROM platform.busy_requests()), 'whose files it is about to show is left alone');
SELECT tests.unpublish('hub', :'v1', false) \gset
SELECT is((SELECT (e.key ->> 'code') FROM jsonb_array_elements(platform.unpublish_document(:'v1', true) -> 'warnings') AS e (key)), NULL, 'nothing is said of files that no endpoint names');
SELECT results_eq(format('SELECT made_by, made_in, gone, kept FROM platform.release_artefacts_v2(%L, 1, 1)', :'v1'), format('VALUES (%L, 1, NULL::text[], ARRAY[''k1''])', :'v1'), 'of what is let go of, that stays');
SELECT is_empty(format('SELECT FROM platform.release_artefacts(%L, 1, 1)', :'v1'), 'a worker of the version before removes none of it');
SELECT ok(pg_temp.shown(:'v3', jsonb_build_array(jsonb_build_object('item_id', 'j1', 'key', 'k1', 'reused_from', :'v1'))), 'it is held until it is shown');
SELECT pg_temp.ended(:'v3', jsonb_build_object('reused', jsonb_build_object('members', 1, 'of', 2, 'from', jsonb_build_array(:'v1')))) \gset
SELECT is(tests.status('hub', :'v3') ->> 'message', 'completed, 1 of 2 members with what was made of the same source before', 'the status says how much was found');
SELECT is(pg_temp.asked('hub', 'v4'), ARRAY[:'v3' || 1], 'who shows it is as good as who made it');
SELECT pg_temp.began('hub', 'v5') AS v5 \gset
SELECT pg_temp.used(:'v5', 'l1', 'k1', 'a', :'v3') \gset
SELECT results_eq(format('SELECT made_by, made_in, gone, kept FROM platform.release_artefacts_v2(%L, 1, 1)', :'v3'), format('VALUES (%L, 1, NULL::text[], ''{}''::text[])', :'v3'), 'while another is about to show it, it does not go');
SELECT results_eq(format('SELECT made_by, made_in, gone, kept FROM platform.release_artefacts_v2(%L, 1, 1) ORDER BY gone NULLS LAST', :'v5'),
                  format('VALUES (%L, 1, ARRAY[''k1''], ''{}''::text[]), (%L, 1, NULL, ''{}'')', :'v1', :'v5'), 'it goes with the last');
SELECT ok(NOT pg_temp.shown(:'v5', jsonb_build_array(jsonb_build_object('item_id', 'l1', 'key', 'k1', 'reused_from', :'v3'))), 'and who let go of it cannot show it');
SELECT throws_ok('SELECT * FROM platform.equal_members(1, 1, ''a'', ''s'')', 'GM409', NULL, 'only the current attempt asks');
SELECT * FROM finish();
ROLLBACK;
