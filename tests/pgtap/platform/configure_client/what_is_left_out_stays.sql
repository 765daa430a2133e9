BEGIN;
SELECT plan(8);
SELECT tests.given_client() \gset
CREATE ROLE boss LOGIN IN ROLE geomill_admin;
SELECT tests.ask('boss', $$SELECT platform.configure_client('hub') AS is$$) -> 'is' AS before \gset
SELECT is(:'before'::jsonb, '{"client_id": "hub", "login_role": "hub", "prefix": "hub", "title": "A data hub of the tests", "is_active": true, "priority": 0, "allowed_request_types": null,
          "vector_collection": "vectors", "raster_collection": "rasters", "calls_per_minute": null, "requests_per_day": null, "concurrent_requests": null, "bytes_per_day": null}', 'without settings it shows the configuration');
SELECT is(tests.ask('boss', $$SELECT platform.configure_client('hub', '{"priority": 7, "calls_per_minute": 600, "allowed_request_types": ["raster"]}') AS is$$) -> 'is',
          :'before'::jsonb || '{"priority": 7, "calls_per_minute": 600, "allowed_request_types": ["raster"]}', 'what is named changes');
SELECT is(tests.ask('boss', $$SELECT platform.configure_client('hub', '{"calls_per_minute": null}') -> 'calls_per_minute' AS is$$) -> 'is', 'null', 'null takes a limit away');
SELECT is((SELECT (c.priority, c.calls_per_minute, c.allowed_request_types)::text FROM platform.clients AS c WHERE c.client_id = 'hub'), '(7,,"[""raster""]")', 'and all of it is kept');
SELECT is(tests.refused('boss', $$SELECT platform.configure_client('hub', '{"priority": 1000, "calls": 5, "allowed_request_types": ["point"], "bytes_per_day": 1.5, "title": ""}')$$),
          '{settings.allowed_request_types[0] NOT_ALLOWED,settings.bytes_per_day WRONG_TYPE,settings.calls UNKNOWN_KEY,settings.priority TOO_LARGE,settings.title TOO_SHORT}', 'each problem by its key');
SELECT is(tests.refused('boss', $$SELECT platform.configure_client('hub', '[]')$$), '{settings WRONG_TYPE}', 'an object is asked for');
SELECT is(tests.refusal('boss', $$SELECT platform.configure_client('nobody')$$) ->> 'sqlstate', 'GM404', 'of a client that exists');
SELECT is(tests.refusal('hub', $$SELECT platform.configure_client('hub')$$) ->> 'sqlstate', '42501', 'by an administrator');
SELECT * FROM finish();
ROLLBACK;
