BEGIN;
SELECT plan(8);
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
SELECT tests.given_client() \gset
SELECT is(tests.ask('boss', 'SELECT platform.health()') #>> '{health,components,workers,status}', 'degraded', 'without workers and without work it is degraded');
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT is(tests.ask('boss', 'SELECT platform.health()') #>> '{health,status}', 'down', 'with work it is down');
SELECT is(tests.ask('boss', 'SELECT platform.health()') #>> '{health,components,workers,remedy}', 'start workers: make workers', 'and says what to do');
SELECT is(tests.ask('boss', 'SELECT platform.health()') #> '{health,requests}', '{"pending": 1, "processing": 0}', 'it counts what is open');
SELECT count(*) AS claimed FROM app.claim_tasks('w1', NULL, 1) \gset
SELECT app.run_janitor() \gset
SELECT is(tests.ask('boss', 'SELECT platform.health()') #>> '{health,status}', 'ok', 'with a worker and a janitor all is well');
SELECT is((SELECT array_agg(k ORDER BY k)::text FROM tests.ask('boss', 'SELECT platform.health()') AS h, jsonb_object_keys(h #> '{health,components}') AS k),
          '{catalogue,cron,database,extensions,janitor,queue,schema,service_level,storage,webhooks,workers}', 'of these parts');
SELECT is((SELECT count(*) FROM tests.ask('boss', 'SELECT platform.health()') AS h, jsonb_each(h #> '{health,components}') AS c
            WHERE c.value ?& '{status,metric,remedy}' AND (c.value ->> 'status' = 'ok') = (c.value ->> 'remedy' IS NULL)), 11::bigint, 'each with a status, a metric, and a remedy where it is not well');
SELECT is(tests.refusal('hub', 'SELECT platform.health()') ->> 'sqlstate', '42501', 'which is not for clients');
SELECT * FROM finish();
ROLLBACK;
