BEGIN;
SELECT plan(33);
SELECT tests.given_client() \gset
SELECT platform.allow_source_root('hub', 's3://bucket/hub');
CREATE FUNCTION pg_temp.codes(path text, type platform.request_type DEFAULT 'vector') RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(p ->> 'code' ORDER BY p ->> 'code' COLLATE "C"), '{}') FROM jsonb_array_elements(platform.source_problems('hub', path, type)) AS p $$;
SELECT is(pg_temp.codes(good.path), '{}', to_json(good.path)::text)
  FROM unnest(ARRAY['/data/hub/a.gpkg', '/data/hub/deep/er/ä b.gpkg', '/data/hub/..a.gpkg', '/data/hub/a..gpkg', '/data/hub/100%.gpkg', '/data/hub/a?b#c.gpkg', 's3://bucket/hub/a.gpkg']) AS good (path);
SELECT is(pg_temp.codes(bad.path), bad.codes::text[], left(to_json(bad.path)::text, 40))
  FROM (VALUES ('/data/other/a.gpkg', '{SOURCE_OUTSIDE_ROOTS}'), ('/data/hubby/a.gpkg', '{SOURCE_OUTSIDE_ROOTS}'), ('s3://bucket/other/a.gpkg', '{SOURCE_OUTSIDE_ROOTS}'),
               ('https://example.org/a.gpkg', '{SOURCE_OUTSIDE_ROOTS}'),
               ('/data/hub/../x.gpkg', '{SOURCE_NOT_CANONICAL}'), ('/data/hub/./x.gpkg', '{SOURCE_NOT_CANONICAL}'), ('/data/hub/x/..', '{SOURCE_NOT_CANONICAL}'),
               ('/data/hub//x.gpkg', '{SOURCE_NOT_CANONICAL}'), ('/data/hub/a\b.gpkg', '{SOURCE_NOT_CANONICAL}'), ('s3://bucket/hub/%2E%2e/x.gpkg', '{SOURCE_NOT_CANONICAL}'),
               ('s3://bucket/hub/a.gpkg?sig=1', '{SOURCE_HAS_QUERY}'),
               (E'/data/hub/a\n.gpkg', '{CONTROL_CHARACTER}'), (E'/data/hub/a\u0085.gpkg', '{CONTROL_CHARACTER}'),
               ('/vsicurl/https://x/a.gpkg', '{SOURCE_NOT_A_PATH,SOURCE_NOT_CANONICAL,SOURCE_OUTSIDE_ROOTS}'), ('/data/hub/VSIMEM/a.gpkg', '{SOURCE_NOT_A_PATH}'),
               ('PG:dbname=postgres', '{SOURCE_NOT_A_PATH}'), ('<VRTDataset/>', '{SOURCE_NOT_A_PATH}'), ('MEM:::DATAPOINTER=1', '{SOURCE_NOT_A_PATH}'), ('a.gpkg', '{SOURCE_NOT_A_PATH}'),
               ('file:///data/hub/a.gpkg', '{SCHEME_NOT_ALLOWED}'), ('http://bucket/hub/a.gpkg', '{SCHEME_NOT_ALLOWED}'),
               ('/data/hub/a.vrt', '{VRT_NOT_ALLOWED}'), ('/data/hub/', '{NOT_A_FILE}'), ('["/data/hub/a.gpkg"]', '{NOT_A_FILE}'), ('', '{REQUIRED}'), ('/data/hub/' || repeat('a', 100000), '{TOO_LONG}')) AS bad (path, codes);
SELECT * FROM finish();
ROLLBACK;
