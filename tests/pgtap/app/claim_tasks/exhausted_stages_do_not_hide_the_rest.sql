BEGIN;
SELECT plan(2);
SELECT tests.given_job('hello_world', jsonb_build_object('n', 1, 'message', 'm' || i)) FROM generate_series(1, 200) AS i;
SELECT is((SELECT count(*) FROM generate_series(1, 100) AS i, LATERAL app.claim_tasks('w' || i % 1, NULL, 3)), 200::bigint, 'all of 200 one-task stages are claimed');
SELECT is((SELECT count(*) FROM app.ready_stages), 0::bigint, 'and no exhausted stage stays behind');
SELECT * FROM finish();
ROLLBACK;
