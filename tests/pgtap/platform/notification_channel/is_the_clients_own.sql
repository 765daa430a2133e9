BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SELECT tests.ask('hub', 'SELECT platform.notification_channel() AS name') ->> 'name' AS channel \gset
SELECT matches(:'channel'::text, '^geomill_requests_[0-9a-f]{32}$', 'a channel that nobody guesses');
SELECT is(tests.ask('hub', 'SELECT platform.notification_channel() AS name') ->> 'name', :'channel'::text, 'it stays the same');
SELECT isnt(tests.ask('other', 'SELECT platform.notification_channel() AS name') ->> 'name', :'channel'::text, 'another client has another');
SELECT is((SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = 'platform'::regnamespace AND p.prosrc ~ 'pg_notify\(''geomill_requests'''), 0::bigint, 'and no request is called out where all can hear');
SELECT is((SELECT string_agg(p.proname, ',' ORDER BY p.proname) FROM pg_proc AS p WHERE p.pronamespace = 'platform'::regnamespace AND p.prosrc ~ 'platform\.notify_client\('),
          'end_request,job_ended,job_reopened,job_started,start_waiting,statistics_ended,unpublish_ended', 'clients are told when a request starts, goes on, and ends');
UPDATE platform.clients SET is_active = false WHERE client_id = 'hub';
SELECT is(tests.refusal('hub', 'SELECT platform.notification_channel()') ->> 'sqlstate', 'GM401', 'who is no client has none');
SELECT * FROM finish();
ROLLBACK;
