BEGIN;
SELECT plan(2);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SAVEPOINT before;
SET TRANSACTION READ ONLY;
SELECT is(tests.status('hub', :'id') ->> 'status', 'pending', 'it answers');
ROLLBACK TO before;
SELECT is((SELECT count(*) FROM app.api_requests AS a WHERE a.function_name = 'get_request_status'), 0::bigint, 'and is not counted');
SELECT * FROM finish();
ROLLBACK;
