BEGIN;
SELECT plan(9);
-- In the middle of an hour: what is asked for in the next one is another row.
SELECT tests.move_clock(date_trunc('day', app.clock(), 'UTC') + interval '1 day 10 hours 30 minutes' - app.clock());
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
CREATE FUNCTION pg_temp.usage() RETURNS text LANGUAGE sql AS $$ SELECT string_agg((u - 'day' - 'average_seconds')::text, E'\n' ORDER BY u ->> 'client_id') FROM tests.ask('boss', 'SELECT * FROM platform.usage()') AS u $$;
SELECT tests.submitted('hub', '1') ->> 'request_id' AS done \gset
SELECT is(tests.end_job(:'done', '{"chunks": [{"first": 0}], "vector": {"source": {"bytes": 1234, "sha256": "not one"}}}'), 'completed', 'a request');
SELECT is(tests.end_job(:'done', '{"endpoints": {}}'), 'completed', 'is done');
SELECT tests.submitted('hub', '2') ->> 'request_id' AS failed \gset
SELECT is(tests.fail_job(:'failed'), 'failed', 'one fails');
SELECT tests.submitted('other', '1') ->> 'request_id' AS cancelled \gset
SELECT is(tests.ask('other', format('SELECT platform.cancel_request(%L) ->> %L AS is', :'cancelled', 'status')) ->> 'is', 'cancelled', 'another''s is cancelled');
SELECT is((SELECT array_agg((o.status, o.source_bytes, o.source_checksum)::text ORDER BY o.outcome_id) FROM platform.outcomes AS o), '{"(completed,1234,)","(failed,,)","(cancelled,,)"}', 'the ledger has a row for each');
SELECT pg_temp.usage() AS before \gset
SELECT is(:'before', '{"calls": 2, "failed": 1, "cancelled": 0, "client_id": "hub", "completed": 1, "source_bytes": 1234, "requests_made": 2, "completed_with_errors": 0}' || E'\n'
          '{"calls": 2, "failed": 0, "cancelled": 1, "client_id": "other", "completed": 0, "source_bytes": 0, "requests_made": 1, "completed_with_errors": 0}'::text, 'by client');
SELECT tests.move_clock(interval '3 hours');
SELECT app.run_janitor() AS run \gset
SELECT is((SELECT (r.error, (r.parts -> 'add_up') - 'seconds')::text FROM app.janitor_runs AS r WHERE r.run_id = :run), '(,"{""call_hours"": 3, ""outcome_hours"": 2}")', 'hours that are over are added up');
DELETE FROM platform.outcomes;
DELETE FROM app.api_requests;
SELECT is(pg_temp.usage(), :'before', 'and say the same when the ledgers are gone');
SELECT app.run_janitor() AS run \gset
SELECT is(pg_temp.usage(), :'before', 'also after another run');
SELECT * FROM finish();
ROLLBACK;
