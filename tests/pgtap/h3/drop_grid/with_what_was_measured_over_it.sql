BEGIN;
SELECT plan(5);
SELECT tests.given_grid('g', '85283473fffffff', 6) AS cells, tests.given_grid('other', '85283473fffffff', 6) AS others \gset
SELECT tests.given_run('d', 'g', 6, 6) AS run \gset
SET LOCAL ROLE geomill_admin;
SELECT throws_ok($$SELECT h3.drop_grid('nonesuch')$$, 'GM404', 'there is no grid nonesuch', 'one that is not there');
SELECT throws_ok($$SELECT h3.drop_grid('g')$$, 'GM409', '1 measurements are over grid g', 'one that is in use');
SELECT is(h3.drop_grid('g', with_statistics => true), 7::bigint, 'all of it');
RESET ROLE;
SELECT is((SELECT count(*) FROM h3.zonal_statistics WHERE run_id = :run), 0::bigint, 'and what was measured');
SELECT is((SELECT count(*) FROM h3.grids WHERE grid_id = 'other'), 7::bigint, 'and nothing else');
SELECT * FROM finish();
ROLLBACK;
