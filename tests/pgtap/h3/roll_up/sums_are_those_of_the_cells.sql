BEGIN;
SELECT plan(6);
SELECT tests.given_grid('g', '8428347ffffffff', 6) AS cells \gset
SELECT tests.given_run('d', 'g', 6, 3) AS run \gset
INSERT INTO h3.zonal_categories (run_id, variable, cell, category, count) SELECT run_id, 1, cell, count::integer % 2, count FROM h3.zonal_statistics WHERE run_id = :run;

SELECT is(h3.roll_up(:run), 9::bigint, 'seven, one and one coarser cells have rows');
SELECT results_eq(format('SELECT count, sum, sum_squares, minimum, maximum, nodata_count FROM h3.zonal_statistics WHERE run_id = %s AND cell = h3.from_text(%L)', :run, '8428347ffffffff'),
    'SELECT sum(n)::float8, sum(n * n)::float8, sum(n * n * n)::float8, 1::float8, 49::float8, 49::float8 FROM generate_series(1, 49) AS n', 'the whole, from the parts');
SELECT is((SELECT sum FROM h3.zonal_statistics WHERE run_id = :run AND h3.resolution(cell) = 3), (SELECT sum FROM h3.zonal_statistics WHERE run_id = :run AND h3.resolution(cell) = 4), 'and again');
SELECT is((SELECT count(*) FROM h3.zonal_statistics AS p WHERE run_id = :run AND h3.resolution(cell) = 5 AND (sum, count) IS DISTINCT FROM
    (SELECT (sum(c.sum), sum(c.count)) FROM h3.zonal_statistics AS c WHERE c.run_id = p.run_id AND h3.resolution(c.cell) = 6 AND h3.parent(c.cell, 5) = p.cell)), 0::bigint, 'each of them');
SELECT is((SELECT sum(count) FROM h3.zonal_categories WHERE run_id = :run AND h3.resolution(cell) = 3 AND category = 1), 625::float8, 'categories too');
SELECT is(h3.roll_up(:run), 9::bigint, 'once more changes nothing');
SELECT * FROM finish();
ROLLBACK;
