BEGIN;
SELECT plan(13);
SELECT tests.given_client() \gset
SELECT app.set_retention('jobs', 1), app.set_retention('failed_jobs', 1);
SELECT tests.submitted('hub') ->> 'request_id' AS published \gset
SELECT tests.completed(:'published') \gset
SELECT tests.submitted('hub', '2') ->> 'request_id' AS failed \gset
SELECT tests.fail_job(:'failed') \gset
SELECT tests.submitted('hub', '3') ->> 'request_id' AS open \gset
SELECT tests.end_job(:'open', '{"chunks": [{"first": 0}], "vector": {"rows": 3}}', 'w2') \gset
SELECT tests.work('w3', 0);
SELECT tests.status('hub', :'published') AS published_before, tests.status('hub', :'failed') AS failed_before, tests.status('hub', :'open') AS open_before \gset
SELECT is(:'published_before'::jsonb ->> 'status', 'completed', 'as given');
SELECT tests.move_clock(interval '10 days');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT error FROM app.janitor_runs WHERE run_id = :run), NULL);
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'failed'), 0::bigint, 'the failed request''s job is gone');
SELECT is(tests.status('hub', :'failed'), :'failed_before'::jsonb, 'and its status is as it was');
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'published'), 2::bigint, 'the jobs of what readers see stay');
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'open'), 2::bigint, 'and those of an open request, though one ended long ago');
SELECT is(tests.status('hub', :'open') -> 'progress_percent', :'open_before'::jsonb -> 'progress_percent', 'so that its progress is right');
SELECT is(tests.ask('hub', format('SELECT platform.retry_request(%L) AS s', :'failed')) #>> '{s,revision}', '2', 'it can be tried again');

-- Superseded, the first revision's jobs go.
SELECT tests.submitted('hub', config => '{"overwrite": true}', client_request_id => 'again') ->> 'request_id' AS again \gset
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'published' AND revision = 1), 2::bigint);
UPDATE platform.requests SET status = 'completed', published_revision = 2, completed_at = app.clock() WHERE request_id = :'published';
UPDATE app.jobs SET status = 'completed', completed_at = app.clock() WHERE platform_request_id = :'published' AND revision = 2;
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'published' AND revision = 1), 2::bigint, 'not before what they left behind has been discarded');
SELECT tests.move_clock(interval '2 days');
SELECT app.run_janitor();
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'published' AND revision = 1), 0::bigint);
SELECT is((SELECT count(*) FROM app.jobs WHERE platform_request_id = :'published' AND revision = 2), 1::bigint);
SELECT is(tests.status('hub', :'published') ->> 'status', 'completed');
SELECT * FROM finish();
ROLLBACK;
