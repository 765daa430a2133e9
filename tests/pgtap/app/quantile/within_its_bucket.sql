BEGIN;
SELECT plan(6);
-- Bounds: 0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, …
SELECT is(app.quantile('{0,0,0,0,0,10,0,0,0,0,0,0,0}', 0.5, 5), 3::float8, 'half way from 1 to 5');
SELECT is(app.quantile('{0,0,0,0,0,10,0,0,0,0,0,0,0}', 0.95, 2), 2::float8, 'never above the highest');
SELECT is(app.quantile('{5,0,0,0,0,5,0,0,0,0,0,0,0}', 0.5, 5), 0.005::float8);
SELECT is(app.quantile('{0,0,0,0,0,0,0,0,0,0,0,0,4}', 1, 20000), 20000::float8, 'beyond the last bound');
SELECT is(app.quantile('{0,0,0,0,0,0,0,0,0,0,0,0,0}', 0.5, 0), NULL, 'of nothing there is none');
SELECT is(array_length(app.histogram_bounds(), 1), 12);
SELECT * FROM finish();
ROLLBACK;
