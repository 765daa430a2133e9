BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT tests.given_gateway() \gset
SELECT set_eq('SELECT l.endpoint FROM platform.endpoint_levels() AS l',
              $$SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'platform'::regnamespace AND has_function_privilege('geomill_client', p.oid, 'EXECUTE') AND p.prorettype <> 'trigger'::regtype$$,
              'endpoints are what clients call');
SELECT is_empty($$SELECT l.endpoint FROM platform.endpoint_levels() AS l JOIN pg_proc AS p ON p.proname = l.endpoint AND p.pronamespace = 'platform'::regnamespace
                   WHERE strpos(p.prosrc, format('platform.begin_call(%L)', l.endpoint)) = 0 OR NOT has_function_privilege('gate', p.oid, 'EXECUTE')$$,
                'each begins its call as itself, and gateways may make it');
SELECT results_eq($$SELECT v.level, count(*) FILTER (WHERE platform.may_call(v.level, NULL, l.endpoint)) FROM (VALUES ('internal'), ('trusted'), ('admin'), ('root')) AS v (level)
                     CROSS JOIN platform.endpoint_levels() AS l GROUP BY v.level ORDER BY 2$$,
                  $$SELECT v.level, v.n FROM (SELECT 'root', 0::bigint UNION ALL SELECT 'internal', count(*) FROM platform.endpoint_levels() WHERE access_level = 'internal'
                     UNION ALL SELECT 'trusted', count(*) FROM platform.endpoint_levels() WHERE access_level <> 'admin' UNION ALL SELECT 'admin', count(*) FROM platform.endpoint_levels()) AS v (level, n)$$,
                  'a level opens its own endpoints and those below');
SELECT is(platform.may_call('admin', NULL, 'health'), false, 'what is no endpoint no key opens');
SELECT * FROM finish();
ROLLBACK;
