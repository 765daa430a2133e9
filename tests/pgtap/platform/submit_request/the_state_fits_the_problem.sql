BEGIN;
SELECT plan(6);
SELECT tests.given_client() \gset
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/other/x.gpkg')$$) ->> 'sqlstate', 'GM403', 'outside of the roots');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '["/data/hub/x.tif"')$$) ->> 'sqlstate', 'GM400', 'a list that is not JSON');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.zip')$$) ->> 'sqlstate', 'GM422', 'a type that cannot be inferred');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg', processing_config => '[]')$$) ->> 'sqlstate', 'GM422', 'a configuration that is no object');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request('d', 'r', 'v', '/data/hub/x.gpkg', processing_config => NULL)$$), NULL, 'none at all is the default one');
SELECT is(tests.refusal('hub', $$SELECT platform.submit_request(NULL, NULL, NULL, NULL)$$) ->> 'sqlstate', 'GM422', 'nothing at all');
SELECT * FROM finish();
ROLLBACK;
