BEGIN;
SELECT plan(4);
SELECT throws_ok($$SELECT * FROM app.claim_tasks('', NULL, 1)$$, 'GM422');
SELECT throws_ok($$SELECT * FROM app.claim_tasks(NULL, NULL, 1)$$, 'GM422');
SELECT throws_ok($$SELECT * FROM app.claim_tasks('w1', NULL, -1)$$, 'GM422');
SELECT throws_ok($$SELECT * FROM app.claim_tasks('w1', NULL, NULL)$$, 'GM422');
SELECT * FROM finish();
ROLLBACK;
