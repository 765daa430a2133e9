BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
CREATE FUNCTION pg_temp.ended(client text, n integer, seconds float) RETURNS void LANGUAGE sql AS $$
    INSERT INTO platform.outcomes (client_id, request_id, revision, request_type, status, seconds, ended_at)
    SELECT client, repeat('0', 32), 1, 'vector', 'completed', seconds, app.clock() FROM generate_series(1, n)
$$;
SELECT tests.submitted('hub', '1') ->> 'request_id' AS first \gset
SELECT tests.submitted('hub', '2') ->> 'request_id' AS second \gset
SELECT is(tests.status('hub', :'first') -> 'outlook', '{"ahead": 0, "expected_seconds": null, "remaining_seconds": null, "measured_requests": 0}', 'what was never measured is not said');
SELECT is(tests.status('hub', :'second') #> '{outlook,ahead}', '1', 'one stands before the second');
SELECT pg_temp.ended('other', 30, 5), pg_temp.ended('hub', 4, 100);
SELECT is(tests.status('hub', :'first') #> '{outlook,expected_seconds}', 'null', 'four are too few, and others'' do not count');
SELECT pg_temp.ended('hub', 1, 200);
SELECT is(tests.status('hub', :'first') #> '{outlook,expected_seconds}', '120.0', 'five are a mean');
SELECT tests.move_clock(interval '50 seconds');
SELECT ok((tests.status('hub', :'first') #>> '{outlook,remaining_seconds}')::numeric BETWEEN 60 AND 70, 'less what has passed');
SELECT tests.move_clock(interval '500 seconds');
SELECT is(tests.status('hub', :'first') #> '{outlook,remaining_seconds}', '0', 'and never less than nothing');
SELECT count(*) AS claimed FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT is(tests.status('hub', :'first') #> '{outlook,ahead}', 'null', 'what is being processed waits for nobody');
SELECT is((SELECT tests.ask('hub', format('SELECT platform.cancel_request(%L) AS c', :'second')) #> '{c,outlook}'), 'null', 'what has ended has no outlook');
SELECT * FROM finish();
ROLLBACK;
