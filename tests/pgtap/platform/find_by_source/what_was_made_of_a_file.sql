BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT repeat('ab', 32) AS checksum \gset
CREATE FUNCTION pg_temp.made(login text, version text, checksum text, config jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    id constant text := tests.submitted(login, version, config) ->> 'request_id';
BEGIN
    PERFORM tests.end_job(id, jsonb_build_object('chunks', '[{}]'::jsonb, 'vector', jsonb_build_object('rows', 1, 'source', jsonb_build_object('sha256', checksum))));
    PERFORM tests.end_job(id, jsonb_build_object('endpoints', jsonb_build_object('table', 'geo.' || version)));
    RETURN id;
END;
$$;
CREATE FUNCTION pg_temp.found(login text, checksum text) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(concat_ws(' ', f ->> 'version_id', f ->> 'revision', f #>> '{endpoints,table}') ORDER BY f ->> 'version_id', f ->> 'revision')
      FROM tests.ask(login, format('SELECT * FROM platform.find_by_source(%L)', checksum)) AS f
$$;
SELECT app.pause_task_type('discard_v3', 'only the requests'' own jobs are worked on') \gset
SELECT pg_temp.made('hub', 'v1', :'checksum') AS v1, pg_temp.made('hub', 'v2', :'checksum') AS v2, pg_temp.made('other', 'v1', :'checksum') AS theirs \gset
SELECT is(pg_temp.found('hub', :'checksum'), '{"v1 1 geo.v1","v2 1 geo.v2"}', 'all that was made of it');
SELECT is(pg_temp.found('other', :'checksum'), '{"v1 1 geo.v1"}', 'of one''s own');
SELECT is(pg_temp.found('hub', upper(:'checksum')), '{"v1 1 geo.v1","v2 1 geo.v2"}', 'however it is written');
SELECT is(pg_temp.found('hub', repeat('0', 64)), NULL, 'of another file nothing');
SELECT pg_temp.made('hub', 'v1', repeat('cd', 32), '{"overwrite": true}') AS again \gset
SELECT is(pg_temp.found('hub', :'checksum'), '{"v1 1","v2 1 geo.v2"}', 'what is no longer shown is still known');
DELETE FROM platform.outcomes;
SELECT is(pg_temp.found('hub', :'checksum'), '{"v2 1 geo.v2"}', 'for as long as the ledger is kept');
SELECT is(tests.refused('hub', $$SELECT platform.find_by_source('md5')$$), '{checksum PATTERN}', 'a checksum is a SHA-256');
SELECT is(tests.refused('hub', $$SELECT platform.find_by_source(repeat('0', 64), 0)$$), '{limit_rows OUT_OF_RANGE}', 'and a page has rows');
SELECT * FROM finish();
ROLLBACK;
