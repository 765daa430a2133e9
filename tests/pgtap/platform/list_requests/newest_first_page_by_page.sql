BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT count(*) AS five FROM (SELECT tests.submitted('hub', n::text) FROM generate_series(1, 5) AS n) AS s \gset
CREATE FUNCTION pg_temp.versions(arguments text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(l.row ->> 'version_id', ' ' ORDER BY l.nth) FROM (SELECT a AS row, row_number() OVER () AS nth FROM tests.ask('hub', format('SELECT * FROM platform.list_requests(%s)', arguments)) AS a) AS l $$;
SELECT is(pg_temp.versions(''), '5 4 3 2 1', 'newest first, though submitted in one transaction');
SELECT is(pg_temp.versions('limit_rows => 2'), '5 4', 'a page');
SELECT is(pg_temp.versions(format('limit_rows => 2, before => %L', (SELECT r.created_at FROM platform.requests AS r WHERE r.version_id = '4'))), '3 2', 'the next page');
SELECT tests.ask('hub', format('SELECT platform.cancel_request(%L)', platform.request_id('hub', 'Base Map', 'roads', '3'))) ->> 'x' AS x \gset
SELECT is(pg_temp.versions($$status => 'cancelled'$$), '3', 'by status');
SELECT is(pg_temp.versions($$'pending'$$), '5 4 2 1', 'and the others');
SELECT is(tests.refused('hub', $$SELECT platform.list_requests(status => 'done')$$), '{status NOT_ALLOWED}', 'an unknown status is refused');
SELECT is(tests.refused('hub', $$SELECT platform.list_requests(limit_rows => 0)$$), '{limit_rows OUT_OF_RANGE}', 'so is no row');
SELECT is(tests.refused('hub', $$SELECT platform.list_requests(limit_rows => 1001)$$), '{limit_rows OUT_OF_RANGE}', 'so are too many');
SELECT * FROM finish();
ROLLBACK;
