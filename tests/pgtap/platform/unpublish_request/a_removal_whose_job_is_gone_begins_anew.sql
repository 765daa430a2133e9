BEGIN;
SELECT plan(3);
SELECT tests.given_client('hub') \gset
SELECT tests.submitted('hub') ->> 'request_id' AS request \gset
SELECT tests.completed(:'request') \gset
SELECT tests.unpublish('hub', :'request', false) \gset
TRUNCATE app.jobs, app.stages, app.tasks, app.ready_stages, app.task_inputs, app.task_results, app.task_errors;

SELECT is(tests.unpublish('hub', :'request') -> 'job', 'null', 'the job is gone');
SELECT is(tests.unpublish('hub', :'request', false) #>> '{job,status}', 'pending', 'asked for again, there is one');
SELECT tests.end_job(:'request', '{"tables": 0, "items": 0}');
SELECT is(tests.status('hub', :'request') ->> 'status', 'unpublished', 'and it brings the request to its end');
SELECT * FROM finish();
ROLLBACK;
