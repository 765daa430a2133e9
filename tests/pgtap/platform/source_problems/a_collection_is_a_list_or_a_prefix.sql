BEGIN;
SELECT plan(12);
SELECT tests.given_client() \gset
CREATE FUNCTION pg_temp.fields(path text) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(concat_ws(' ', p ->> 'field', p ->> 'code')), '{}') FROM jsonb_array_elements(platform.source_problems('hub', path, 'collection')) AS p $$;
SELECT is(pg_temp.fields('["/data/hub/a.tif", "/data/hub/b.tif"]'), '{}', 'a list passes');
SELECT is(pg_temp.fields('/data/hub/scenes/'), '{}', 'so does a prefix');
SELECT is(pg_temp.fields('/data/hub/'), '{}', 'and the whole root');
SELECT is(pg_temp.fields('/data/hub/a.tif'), '{source_path NOT_A_COLLECTION}', 'one file is no collection');
SELECT is(pg_temp.fields('["/data/hub/a.tif", 5, "/etc/x.tif", "/data/hub/b/"]'), '{source_path[1] WRONG_TYPE,source_path[2] SOURCE_OUTSIDE_ROOTS,source_path[3] NOT_A_FILE}', 'each member is judged');
SELECT is(pg_temp.fields('["/data/hub/a.tif", "/data/hub/b.tif", "/data/hub/a.tif"]'), '{source_path[2] DUPLICATE}', 'and named once');
SELECT is(pg_temp.fields('[]'), '{source_path OUT_OF_RANGE}', 'none is too few');
SELECT is(pg_temp.fields((SELECT jsonb_agg(n) FROM generate_series(1, 10001) AS n)::text), '{source_path OUT_OF_RANGE}', '10001 are too many');
SELECT is(pg_temp.fields('["/data/hub/a.tif"'), '{source_path MALFORMED}', 'half a list is malformed');
SELECT is(pg_temp.fields('["\u0000"]'), '{source_path MALFORMED}', 'so is a NUL');
SELECT is(pg_temp.fields('["\ud800"]'), '{source_path MALFORMED}', 'and half a character');
SELECT is(cardinality(pg_temp.fields((SELECT jsonb_agg('/etc/' || n) FROM generate_series(1, 100) AS n)::text)), 20, 'of many wrong members 20 are shown');
SELECT * FROM finish();
ROLLBACK;
