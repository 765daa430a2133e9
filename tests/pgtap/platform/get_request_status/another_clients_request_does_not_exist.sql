BEGIN;
SELECT plan(7);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.status('hub', :'id') ->> 'request_id', :'id', 'its own client sees it');
SELECT tests.refusal('other', format('SELECT platform.get_request_status(%L)', :'id')) AS others \gset
SELECT tests.refusal('other', format('SELECT platform.get_request_status(%L)', repeat('0', 32))) AS missing \gset
SELECT is((:'others'::jsonb) ->> 'sqlstate', 'GM404', 'another client does not');
SELECT is(replace(:'others', :'id', repeat('0', 32)), :'missing'::text, 'and is told what it is told of one that does not exist');
SELECT is(tests.refusal('other', format('SELECT platform.cancel_request(%L, NULL)', :'id')) ->> 'sqlstate', 'GM404', 'it cannot cancel it');
SELECT is(tests.refusal('other', format('SELECT platform.retry_request(%L)', :'id')) ->> 'sqlstate', 'GM404', 'nor retry it');
SELECT is(tests.refusal('other', format('SELECT platform.get_rejects(%L)', :'id')) ->> 'sqlstate', 'GM404', 'nor read its rejects');
SELECT is((SELECT count(*) FROM tests.ask('other', 'SELECT * FROM platform.list_requests()')), 0::bigint, 'nor list it');
SELECT * FROM finish();
ROLLBACK;
