BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT tests.unpublish('hub', :'id', false) #>> '{job,job_id}' AS job \gset
SELECT is(tests.submitted('hub') -> 'revision', '2', 'submitted while it is being unpublished, it is a new revision');
SELECT is(tests.refusal('hub', format('SELECT platform.unpublish_request(%L, false)', :'id')) ->> 'sqlstate', 'GM409', 'which runs');
SELECT is((SELECT j.parameters -> 'revision' FROM app.jobs AS j WHERE j.job_id = :'job'), '1', 'the removal is the old revision''s');
SELECT app.complete_task_and_check_stage(c.task_id, c.attempt, '{}') FROM app.claim_tasks('w1', ARRAY['vector_withdraw_v2'], 1) AS c \gset
SELECT app.complete_task_and_check_stage(c.task_id, c.attempt, '{}') FROM app.claim_tasks('w1', ARRAY['unpublish_files_v3'], 1) AS c \gset
SELECT is(tests.job_status(:'job'), 'completed', 'its end');
SELECT is(tests.status('hub', :'id') ->> 'status', 'pending', 'leaves the new one''s status');
SELECT is(tests.status('hub', :'id') -> 'endpoints', 'null', 'and takes away what the old one showed');
SELECT is(tests.completed(:'id'), 'completed', 'the new one completes');
SELECT isnt(tests.status('hub', :'id') -> 'endpoints', 'null', 'and is there');
SELECT is(tests.unpublish('hub', :'id') -> 'job', 'null', 'with no removal of its own');
SELECT * FROM finish();
ROLLBACK;
