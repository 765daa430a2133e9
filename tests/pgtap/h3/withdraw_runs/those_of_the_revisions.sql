BEGIN;
SELECT plan(4);
SELECT tests.given_grid('g', '85283473fffffff', 6) AS cells \gset
SELECT tests.given_run('d', 'g', 6, 6, 1, NULL, 'request') AS one, tests.given_run('d', 'g', 6, 6, 2, NULL, 'request') AS two, tests.given_run('e', 'g', 6, 6, 1, NULL, 'other') AS other \gset
SELECT is(h3.withdraw_runs('request', 1, 1), 1::bigint, 'one revision');
SELECT is((SELECT array_agg(version ORDER BY version) FROM h3.zonal_runs WHERE request_id = 'request'), '{2}', 'leaves the other');
SELECT is(h3.withdraw_runs('request', 1, 2), 1::bigint, 'and up to another');
SELECT is((SELECT count(*) FROM h3.zonal_statistics WHERE run_id = :other), 7::bigint, 'another request''s stay');
SELECT * FROM finish();
ROLLBACK;
