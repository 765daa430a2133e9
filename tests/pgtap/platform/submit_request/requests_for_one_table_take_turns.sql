BEGIN;
SELECT plan(17);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
CREATE FUNCTION pg_temp.jobs(request text) RETURNS bigint LANGUAGE sql AS $$ SELECT count(j.job_id) FROM platform.request_jobs AS j WHERE j.request_id = request $$;
SELECT tests.submitted('hub', '1', '{"table_name": "shared"}') ->> 'request_id' AS first \gset

SELECT is(tests.refused('hub', $$SELECT platform.submit_request('Base Map', 'roads', '2', '/data/hub/a.gpkg', processing_config => '{"table_name": "shared"}')$$),
          '{"processing_config.table_name TABLE_NAME_TAKEN"}', 'a table of another request''s is not made anew');
SELECT is(tests.refused('other', $$SELECT platform.submit_request('Base Map', 'roads', '2', '/data/other/a.gpkg', processing_config => '{"table_name": "shared", "mode": "append"}')$$),
          '{"processing_config.table_name TABLE_NAME_TAKEN"}', 'nor is another client''s written to');
SELECT is(tests.refused('hub', $$SELECT platform.submit_request('Base Map', 'roads', '2', '/data/hub/a.gpkg', processing_config => '{"table_name": "shared", "mode": "append", "on_busy": "refuse"}')$$),
          '{"processing_config.on_busy TABLE_BUSY"}', 'a busy table is refused, where that was asked');
SELECT is((SELECT count(*) FROM platform.requests), 1::bigint, 'and nothing was made');

SELECT tests.submitted('hub', '2', '{"table_name": "shared", "mode": "append"}') ->> 'request_id' AS second \gset
SELECT tests.submitted('hub', '3', '{"table_name": "shared", "mode": "append"}') ->> 'request_id' AS third \gset
SELECT tests.submitted('hub', '4', '{"table_name": "shared", "mode": "upsert", "key_columns": ["id"]}') ->> 'request_id' AS fourth \gset
SELECT is(tests.status('hub', :'second') ->> 'message', format('waits for its turn at geo.shared, after request %s', :'first'), 'else it waits, and says for whom');
SELECT is(ARRAY[pg_temp.jobs(:'first'), pg_temp.jobs(:'second'), pg_temp.jobs(:'third'), pg_temp.jobs(:'fourth')], '{1,0,0,0}', 'one has a job');
SELECT is(tests.completed(:'first'), 'completed', 'the first ends');
SELECT is(ARRAY[pg_temp.jobs(:'second'), pg_temp.jobs(:'third'), pg_temp.jobs(:'fourth')], '{1,0,0}', 'and the next begins in the same transaction');

SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L) ->> ''status'' AS s', :'third')) ->> 's', 'cancelled', 'who waits can be cancelled');
SELECT is(ARRAY[pg_temp.jobs(:'second'), pg_temp.jobs(:'fourth')], '{1,0}', 'which gives nobody a turn');
SELECT is(tests.ask('hub', format('SELECT platform.cancel_request(%L) ->> ''status'' AS s', :'second')) ->> 's', 'cancelled', 'who has the turn, too');
SELECT is(pg_temp.jobs(:'fourth'), 1::bigint, 'and the next has it');
SELECT is(tests.ask('hub', format('SELECT platform.retry_request(%L) ->> ''message'' AS m', :'third')) ->> 'm', format('waits for its turn at geo.shared, after request %s', :'fourth'), 'a retry goes to the end of the line');

-- The turn is lost, as if the row had been locked when it came.
SET LOCAL session_replication_role = replica;
UPDATE platform.requests AS r SET status = 'completed', published_revision = 1 WHERE r.request_id = :'fourth';
UPDATE platform.requests AS r SET updated_at = app.clock() - interval '2 minutes' WHERE r.request_id = :'third';
SET LOCAL session_replication_role = origin;
SELECT is(pg_temp.jobs(:'third'), 0::bigint, 'nobody has the turn');
SELECT app.janitor_repair_requests(app.clock()) \gset
SELECT is(pg_temp.jobs(:'third'), 1::bigint, 'the janitor gives it');
SELECT is(tests.status('hub', :'third') ->> 'status', 'pending', 'and ends nobody');
SELECT is((tests.refusal('hub', format('SELECT platform.unpublish_request(%L)', :'first')) ->> 'sqlstate'), 'GM409', 'a table with rows of others is not taken back');
SELECT * FROM finish();
ROLLBACK;
