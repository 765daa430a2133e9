-- Eight stages that nobody serves stand in front, and behind them more exhausted stages than a claim looks at; so two
-- concurrent claims may leave them. What is behind must be claimed all the same, by the very next claim.
BEGIN;
SELECT plan(2);
SELECT tests.given_workflow('unserved', '[{"task_type": "nobody"}]');
SELECT tests.given_workflow('served', '[{"task_type": "somebody"}]');
SELECT count(tests.given_job('unserved', jsonb_build_object('i', i))) FROM generate_series(1, 8) AS i;
SELECT count(tests.given_job('served', jsonb_build_object('i', i))) FROM generate_series(1, 200) AS i;
-- As if each had been claimed by two at once, neither of which saw that the other emptied the stage.
UPDATE app.tasks SET status = 'processing', attempt = 1 WHERE task_type = 'somebody'
   AND task_id < (SELECT max(task_id) FROM app.tasks);
SELECT is((SELECT count(*) FROM app.claim_tasks('w1', '{somebody}', 1)), 1::bigint, 'the one task behind them');
SELECT is((SELECT count(*) FROM app.ready_stages WHERE task_type = 'somebody'), 0::bigint, 'and nothing exhausted stays');
SELECT * FROM finish();
ROLLBACK;
