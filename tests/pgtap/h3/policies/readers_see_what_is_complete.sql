BEGIN;
SELECT plan(8);
SELECT tests.given_grid('made', '85283473fffffff', 6) AS made, tests.given_grid('half', '85283473fffffff', 6, 'processing') AS half \gset
SELECT tests.given_run('everybodys', 'made', 6, 5) AS everybodys, tests.given_run('anothers', 'made', 6, 5, 1, 'somebody_else') AS anothers \gset
SELECT tests.given_run('unfinished', 'made', 6, 5) AS unfinished \gset
SELECT h3.publish_run(:everybodys), h3.publish_run(:anothers) \gset ignored_

SET LOCAL ROLE geomill_reader;
SELECT is((SELECT array_agg(DISTINCT grid_id::text) FROM h3.cells), '{made}', 'a reader sees no grid that is half made');
SELECT is((SELECT array_agg(DISTINCT dataset_id::text ORDER BY dataset_id::text) FROM h3.statistics), '{anothers,everybodys}', 'and every measurement that is complete');
SELECT throws_ok($$DELETE FROM h3.zonal_runs$$, '42501', NULL, 'and changes nothing');
RESET ROLE;
SET LOCAL ROLE geomill_client;
SELECT is((SELECT array_agg(DISTINCT grid_id::text) FROM h3.cells), '{made}', 'nor does a client');
SELECT is((SELECT array_agg(DISTINCT dataset_id::text) FROM h3.statistics), '{everybodys}', 'whose measurements are its own, and those of nobody');
SELECT is((SELECT count(*) FROM h3.zonal_statistics WHERE run_id IN (:anothers, :unfinished)), 0::bigint, 'below the views too');
SELECT throws_ok($$UPDATE h3.zonal_runs SET client_role = 'me'$$, '42501', NULL, 'and it changes nothing');
RESET ROLE;
SET LOCAL ROLE geomill_worker;
SELECT is((SELECT count(DISTINCT grid_id) FROM h3.grids WHERE grid_id IN ('made', 'half')), 2::bigint, 'workers see all');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
