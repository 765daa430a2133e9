BEGIN;
SELECT plan(3);
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
SELECT bag_eq('SELECT table_name FROM app.queue_health()', $$VALUES ('jobs'), ('stages'), ('ready_stages'), ('tasks'), ('task_inputs'), ('task_results'), ('task_errors'), ('workers')$$);
SELECT ok((SELECT bool_and(table_bytes >= 0 AND index_bytes > 0 AND dead_rows >= 0) FROM app.queue_health()));
SELECT is((SELECT count(*) FROM tests.ask('boss', 'SELECT * FROM app.queue_health()')), 8::bigint, 'administrators see it');
SELECT * FROM finish();
ROLLBACK;
