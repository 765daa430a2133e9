BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT platform.configure_client('hub', '{"calls_per_minute": 3}') \gset
SELECT is(tests.refusal('hub', 'SELECT * FROM platform.list_requests()'), NULL, 'one');
SELECT is(tests.refusal('hub', 'SELECT * FROM platform.list_requests()'), NULL, 'two');
SELECT is(tests.refusal('hub', $$SELECT platform.stac_search('{}')$$), NULL, 'three');
SELECT tests.refusal('hub', 'SELECT * FROM platform.list_requests()') AS refusal \gset
SELECT is((:'refusal'::jsonb) ->> 'sqlstate', 'GM429', 'the fourth is too many');
SELECT matches((:'refusal'::jsonb) ->> 'hint', '^call again in (59|60) seconds$', 'and says when');
SELECT tests.move_clock(interval '61 seconds');
SELECT is(tests.refusal('hub', 'SELECT * FROM platform.list_requests()'), NULL, 'a minute later it may');
SELECT * FROM finish();
ROLLBACK;
