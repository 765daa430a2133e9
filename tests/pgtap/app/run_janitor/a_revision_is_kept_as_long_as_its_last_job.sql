BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT app.set_retention('jobs', NULL), app.set_retention('failed_jobs', 1);
SELECT tests.submitted('hub') ->> 'request_id' AS request \gset
SELECT tests.end_job(:'request', '{"chunks": [{"first": 0}], "vector": {"rows": 3}}') \gset
SELECT tests.fail_job(:'request') AS status \gset
SELECT is(:'status'::text, 'failed', 'its first job completed, its second failed');
SELECT tests.move_clock(interval '10 days');
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'request'), 2::bigint, 'what completed is kept for ever, and what failed with it: taken up again, it needs that');
SELECT app.set_retention('jobs', 30);
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'request'), 2::bigint, 'or until that is old enough, too');
SELECT tests.move_clock(interval '21 days');
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'request'), 0::bigint, 'then both go');
SELECT * FROM finish();
ROLLBACK;
