BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT set_eq($$SELECT p.oid::regprocedure::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'public', 'tests', 'h3') AND n.nspname !~ '^pg_(temp|toast)'
                   AND has_schema_privilege('hub', n.oid, 'USAGE') AND has_function_privilege('hub', p.oid, 'EXECUTE') AND p.prorettype <> 'trigger'::regtype$$,
              ARRAY['platform.submit_request(text,text,text,text,text,jsonb,text,text,boolean)', 'platform.submit_requests(jsonb)', 'platform.get_request_status(text)',
                    'platform.notification_channel()', 'platform.get_lineage(text)', 'platform.get_statistics(text)', 'platform.request_statistics(text,jsonb)', 'platform.find_by_source(text,integer)', 'platform.list_requests(text,integer,timestamp with time zone)', 'platform.get_rejects(text,integer,bigint)', 'platform.cancel_request(text,text)',
                    'platform.retry_request(text)', 'platform.unpublish_request(text,boolean)', 'platform.stac_search(jsonb)', 'platform.get_mosaic_search(text)'], 'these functions and no others, but the arithmetic of cells');
SELECT is_empty($$SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname IN ('app', 'platform', 'pgstac', 'geo') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                     AND has_schema_privilege('hub', n.oid, 'USAGE') AND has_table_privilege('hub', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')$$, 'no table but those of h3, which are read by policies of their own');
SELECT is_empty($$SELECT n.nspname FROM pg_namespace AS n WHERE n.nspname !~ '^pg_' AND has_schema_privilege('hub', n.oid, 'CREATE')$$, 'and makes nothing anywhere');
SELECT is(tests.refusal('hub', 'SELECT * FROM platform.requests') ->> 'sqlstate', '42501', 'it reads no table of platform');
SELECT is(tests.refusal('hub', $$SELECT platform.status_document(c, 'x') FROM platform.begin_call('list_requests') AS c$$) ->> 'sqlstate', '42501', 'and calls nothing that is inside');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'platform'::regnamespace AND p.prosecdef AND p.proowner = 'geomill_owner'::regrole
                    AND has_function_privilege('geomill_client', p.oid, 'EXECUTE')$$, 'what clients call runs as the API role, whom row-level security binds');
SELECT * FROM finish();
ROLLBACK;
