BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
CREATE FUNCTION pg_temp.component(name text) RETURNS jsonb LANGUAGE sql AS $$ SELECT tests.ask('boss', 'SELECT platform.health()') #> ARRAY['health', 'components', name] $$;
SELECT is(platform.service_level(app.clock() - interval '1 day'), '{}', 'nothing ended, nothing is said');
SELECT is(pg_temp.component('service_level') ->> 'status', 'ok', 'and nothing is wrong');
INSERT INTO platform.outcomes (client_id, request_id, revision, request_type, status, error_category, seconds, ended_at)
SELECT 'hub', repeat('0', 32), 1, 'vector', CASE WHEN n <= 97 THEN 'completed' WHEN n = 98 THEN 'completed_with_errors' WHEN n <= 100 THEN 'failed' ELSE 'cancelled' END::platform.request_status,
       CASE n WHEN 99 THEN 'data' WHEN 100 THEN 'system' END, CASE WHEN n <= 10 THEN 400 ELSE 10 END, app.clock() - n * interval '1 minute' FROM generate_series(1, 103) AS n;
SELECT is(platform.service_level(app.clock() - interval '1 day') -> 'vector',
          '{"ended": 100, "failed": 2, "faults": 1, "cancelled": 3, "success_rate": 0.98, "in_time_rate": 0.898, "average_seconds": 49.8}', 'rates of what ended');
SELECT is(pg_temp.component('service_level') ->> 'status', 'degraded', 'which is below 99 %');
SELECT matches(pg_temp.component('service_level') ->> 'remedy', 'vector', 'of vector requests');
SELECT tests.move_clock(interval '26 hours');
SELECT app.run_janitor() AS run \gset
SELECT is(pg_temp.component('service_level') #> '{metric,day}', '{}', 'a day later it is forgiven');
SELECT is(pg_temp.component('service_level') #> '{metric,week,vector,ended}', '100', 'but not forgotten for a week');
INSERT INTO platform.outcomes (client_id, request_id, revision, request_type, status, seconds, ended_at)
SELECT 'hub', repeat('0', 32), 1, 'raster', 'completed', 500, app.clock() FROM generate_series(1, 19) AS n;
SELECT is(pg_temp.component('service_level') ->> 'status', 'ok', 'of a few nothing is concluded');
INSERT INTO platform.outcomes (client_id, request_id, revision, request_type, status, seconds, ended_at) VALUES ('hub', repeat('0', 32), 1, 'raster', 'completed', 500, app.clock());
SELECT is(pg_temp.component('service_level') ->> 'status', 'degraded', 'of more that take longer than five minutes something is');
SELECT * FROM finish();
ROLLBACK;
