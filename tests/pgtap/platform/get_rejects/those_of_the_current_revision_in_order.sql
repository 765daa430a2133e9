BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
INSERT INTO platform.rejects (request_id, revision, job_id, source, source_row, code, reason)
SELECT :'id', r.revision, repeat('a', 64), 'roads.gpkg', r.nth, 'BAD_GEOMETRY', 'an unclosed ring' FROM (VALUES (1, 10), (1, 11), (1, 12), (2, 13)) AS r (revision, nth);
CREATE FUNCTION pg_temp.rows(arguments text) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(a ->> 'source_row', ' ') FROM tests.ask('hub', format('SELECT * FROM platform.get_rejects(%s)', arguments)) AS a $$;
SELECT is(pg_temp.rows(quote_literal(:'id')), '10 11 12', 'of this revision');
SELECT is(pg_temp.rows(format('%L, limit_rows => 1, after => %s', :'id', (SELECT min(j.reject_id) FROM platform.rejects AS j))), '11', 'page by page');
SELECT is(tests.refused('hub', format('SELECT platform.get_rejects(%L, -1)', :'id')), '{limit_rows OUT_OF_RANGE}', 'of a size that can be');
SELECT * FROM finish();
ROLLBACK;
