BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
SELECT tests.refusal('other', format('SELECT platform.unpublish_request(%L, false)', :'id')) AS others \gset
SELECT is((:'others'::jsonb) ->> 'sqlstate', 'GM404', 'another client''s does not exist');
SELECT is(replace(:'others', :'id', repeat('0', 32)), tests.refusal('other', format('SELECT platform.unpublish_request(%L, false)', repeat('0', 32)))::text, 'word for word');
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.job_type LIKE 'unpublish%'), 0::bigint, 'and nothing was started');
SELECT * FROM finish();
ROLLBACK;
