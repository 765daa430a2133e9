BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.refusal('hub', format('SELECT platform.unpublish_request(%L, false)', :'id')) AS refusal \gset
SELECT is((:'refusal'::jsonb) ->> 'sqlstate', 'GM409', 'what runs is not unpublished');
SELECT is((:'refusal'::jsonb) #>> '{problems,0,code}', 'REQUEST_OPEN', 'and it says so');
SELECT matches((:'refusal'::jsonb) ->> 'hint', 'platform\.cancel_request\(', 'with the remedy');
SELECT is(tests.refusal('hub', format('SELECT platform.unpublish_request(%L)', :'id')) ->> 'sqlstate', 'GM409', 'nor by a dry run');
SELECT tests.ask('hub', format('SELECT platform.cancel_request(%L)', :'id')) ->> 'x' AS x \gset
SELECT is(tests.unpublish('hub', :'id', false) #>> '{job,job_type}', 'unpublish_vector', 'once cancelled it may be');
SELECT is((SELECT jsonb_array_length(j.parameters -> 'job_ids') FROM app.jobs AS j WHERE j.job_type = 'unpublish_vector'), 1, 'with what its job may have left');
SELECT * FROM finish();
ROLLBACK;
