BEGIN;
SELECT plan(6);
SELECT tests.given_grid('g', '85283473fffffff', 6) AS cells \gset
SELECT tests.given_run('d', 'g', 6, 6, 1, NULL, 'request') AS one, tests.given_run('d', 'g', 6, 6, 2, NULL, 'request') AS two \gset
SELECT is((SELECT count(*) FROM h3.statistics WHERE dataset_id = 'd'), 0::bigint, 'what is not complete does not show');
SELECT is(h3.publish_run(:one), 7::bigint, 'seven cells');
SELECT is((SELECT array_agg(DISTINCT version) FROM h3.statistics WHERE dataset_id = 'd'), '{1}', 'shows');
SELECT is(h3.publish_run(:two), 7::bigint, 'the next');
SELECT is((SELECT array_agg(DISTINCT version) FROM h3.statistics WHERE dataset_id = 'd'), '{2}', 'shows in its place');
SELECT results_eq($$SELECT mean, stddev, count FROM h3.statistics WHERE dataset_id = 'd' ORDER BY cell LIMIT 2$$, $$VALUES (1::float8, 0::float8, 1::float8), (2, 0, 2)$$, 'with what follows from the sums');
SELECT * FROM finish();
ROLLBACK;
