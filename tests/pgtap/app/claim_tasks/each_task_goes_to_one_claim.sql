BEGIN;
SELECT plan(7);
SELECT tests.given_job('hello_world', '{"n": 5}') AS job \gset
CREATE TEMP TABLE got AS SELECT * FROM app.claim_tasks('w1', NULL, 3);
INSERT INTO got SELECT * FROM app.claim_tasks('w2', NULL, 3);
SELECT is((SELECT count(*) FROM got), 5::bigint, 'five of five');
SELECT is((SELECT count(DISTINCT task_id) FROM got), 5::bigint, 'each once');
SELECT is((SELECT array_agg(task_index ORDER BY task_index) FROM got), '{0,1,2,3,4}', 'indexes from 0');
SELECT is((SELECT array_agg(DISTINCT attempt) FROM got), '{1}', 'first attempts');
SELECT ok((SELECT bool_and(deadline > now()) FROM got), 'with a deadline');
SELECT is((SELECT parameters ->> 'message' FROM got LIMIT 1), 'Hello from geomill', 'with the parameters');
SELECT is_empty($$SELECT * FROM app.claim_tasks('w3', NULL, 3)$$, 'and nothing is left');
SELECT * FROM finish();
ROLLBACK;
