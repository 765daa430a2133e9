BEGIN;
SELECT plan(4);
SELECT tests.given_workflow('maybe', '[{}, {"condition": "$.parameters.wanted == true"}, {"condition": "$.previous[*].x > 1"}, {}]');
SELECT tests.given_job('maybe', '{"wanted": true}') AS yes \gset
SELECT tests.work('w1', 1);
SELECT is(tests.stage_tasks(:'yes', 2), 1::bigint, 'true: it runs');
SELECT tests.work('w1', 1, '{"x": 2}');
SELECT is(tests.stage_tasks(:'yes', 3), 1::bigint, 'a result can be asked too');
SELECT app.cancel_job(:'yes');
SELECT tests.given_job('maybe', '{"wanted": false}') AS no \gset
SELECT tests.work('w1', 1);
SELECT is(tests.stage_tasks(:'no', 2) + tests.stage_tasks(:'no', 3), 0::bigint, 'false: it is skipped');
SELECT is(tests.stage_tasks(:'no', 4), 1::bigint, 'and the job goes on behind it');
SELECT * FROM finish();
ROLLBACK;
