BEGIN;
SELECT plan(28);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.given_gateway() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/secret-hook', client_request_id => 'hub-secret') ->> 'request_id' AS theirs \gset
SELECT is(tests.completed(:'theirs'), 'completed', 'a client has something');
SELECT repeat('0', 32) AS nothing \gset
-- Each function that takes an id: with another's, and with one that nobody has, word for word the same but for the id.
CREATE FUNCTION pg_temp.asked(login text, call text, id text) RETURNS text LANGUAGE sql AS $$ SELECT replace(tests.refusal(login, format(call, id))::text, id, '<id>') $$;
SELECT is(pg_temp.asked('other', c.call, :'theirs'), pg_temp.asked('other', c.call, :'nothing'), c.call)
  FROM (VALUES ('SELECT platform.get_request_status(%L)'), ('SELECT * FROM platform.get_rejects(%L)'), ('SELECT platform.get_lineage(%L)'), ('SELECT platform.get_statistics(%L)'), ($$SELECT platform.request_statistics(%L, '{"grid_id": "g", "resolution": 1}')$$), ('SELECT platform.get_mosaic_search(%L)'), ('SELECT platform.cancel_request(%L)'),
               ('SELECT platform.retry_request(%L)'), ('SELECT platform.unpublish_request(%L)'), ('SELECT platform.unpublish_request(%L, false)')) AS c (call);
SELECT is(pg_temp.asked('other', 'SELECT platform.get_request_status(%L)', :'theirs') LIKE '%GM404%', true, 'which is that there is none');
SELECT is((SELECT count(*) FROM tests.ask('other', 'SELECT * FROM platform.list_requests()')), 0::bigint, 'nor does a list show it');
-- The same identity of another client is another request, and its names are taken without a word about whose.
SELECT tests.submitted('other') AS own \gset
SELECT is((:'own'::jsonb) ->> 'created', 'true', 'the same identity is free');
SELECT isnt((:'own'::jsonb) ->> 'request_id', :'theirs', 'under another id');
SELECT is(strpos(tests.status('other', (:'own'::jsonb) ->> 'request_id')::text, :'theirs'), 0, 'and its status says nothing of the first');
SELECT tests.refusal('other', $$SELECT platform.submit_request('d', 'r', 'v', '/data/other/x.gpkg', processing_config => '{"table_name": "base_map_roads_1"}')$$) AS taken \gset
SELECT is((:'taken'::jsonb) #>> '{problems,0,code}', 'TABLE_NAME_TAKEN', 'a name that is taken is taken');
SELECT is((:'taken'::jsonb)::text ~ ('hub|' || :'theirs'), false, 'by whom is not said');
SELECT is(tests.refusal('other', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/roads.gpkg')$$)::text ~ '/data/hub/ ', false, 'another''s roots are not named');
SELECT is(tests.refused('other', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/roads.gpkg')$$), '{source_path SOURCE_OUTSIDE_ROOTS}', 'nor open');
-- What a right on the tables would show: row-level security of the API role.
GRANT geomill_api TO other;
SELECT is((SELECT count(*) FROM tests.ask('other', format('SELECT %s FROM platform.%I WHERE %s', c.column_name, c.table_name, c.condition))), 0::bigint, c.table_name)
  FROM (VALUES ('requests', 'client_id', 'client_id <> ''other'''), ('request_jobs', 'request_id', 'request_id = ''' || :'theirs' || ''''), ('geo_tables', 'table_name', 'client_id <> ''other'''),
               ('source_roots', 'root', 'client_id <> ''other'''), ('rejects', 'request_id', 'true'), ('outcomes', 'request_id', 'client_id <> ''other'''), ('clients', 'client_id', 'client_id <> ''other''')) AS c (table_name, column_name, condition);
REVOKE geomill_api FROM other;
SELECT is(tests.ask('other', format('SELECT platform.stac_search(%L) -> %L AS found', '{"ids": ["Base Map_roads_1"], "collections": ["hub_vectors"]}', 'features')) -> 'found', '[]', 'and no search finds it');
SELECT * FROM finish();
ROLLBACK;
