BEGIN;
SELECT plan(11);
SELECT tests.given_client() \gset
CREATE FUNCTION pg_temp.after(version text, previous text, dry boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(tests.refusal('hub', format('SELECT platform.submit_request(%L, %L, %L, %L, processing_config => %L, dry_run => %L)', 'Base Map', 'roads', version,
                                                '/data/hub/roads.gpkg', jsonb_build_object('previous_version_id', previous), dry)) #>> '{problems,0,code}', 'taken')
$$;
SELECT is(pg_temp.after('v1', 'v0'), 'VERSION_CONFLICT', 'there is nothing to follow');
SELECT tests.submitted('hub', 'v1') ->> 'request_id' AS v1 \gset
SELECT is(pg_temp.after('v2', 'v1', true), 'taken', 'a dry run says that it may');
SELECT is(pg_temp.after('v2', 'v1'), 'taken', 'the second follows the first');
SELECT is(pg_temp.after('v2', 'v1'), 'taken', 'said again it is the same request');
SELECT is(pg_temp.after('v3', 'v1', true), 'VERSION_CONFLICT', 'another that follows the first comes too late, a dry run says');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('Base Map', 'roads', 'v3', '/data/hub/roads.gpkg', processing_config => '{"previous_version_id": "v1"}')$$) ->> 'sqlstate', 'GM409', 'as a conflict');
SELECT r.request_id AS v2 FROM platform.requests AS r WHERE r.version_id = 'v2' \gset
SELECT matches(tests.refusal('hub', $$SELECT platform.submit_request('Base Map', 'roads', 'v3', '/data/hub/roads.gpkg', processing_config => '{"previous_version_id": "v1"}')$$) ->> 'message', '''v2'' .request ' || :'v2', 'that names the newest');
SELECT tests.ask('hub', format('SELECT platform.cancel_request(%L)', :'v2')) \gset
SELECT is(pg_temp.after('v3', 'v1'), 'taken', 'what was cancelled is no version');
SELECT is(pg_temp.after('other', NULL), 'taken', 'who says nothing is not asked');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('Base Map', 'rivers', 'v2', '/data/hub/x.gpkg', processing_config => '{"previous_version_id": "v1"}')$$) #>> '{problems,0,code}', 'VERSION_CONFLICT', 'other resources have versions of their own');
SELECT is((SELECT count(*) FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.classid = 71109 AND l.mode = 'ShareLock' AND l.pid = pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())), 1::bigint, 'but keeps its place among those who ask');
SELECT * FROM finish();
ROLLBACK;
