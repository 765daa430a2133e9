BEGIN;
SELECT plan(3);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub') ->> 'request_id' AS id \gset
SELECT tests.refusal('hub', $$SELECT platform.submit_request('Base Map', 'roads', '1', '/data/hub/new.gpkg', processing_config => '{"overwrite": true}')$$) AS refusal \gset
SELECT is((:'refusal'::jsonb) ->> 'sqlstate', 'GM409', 'as a conflict');
SELECT matches((:'refusal'::jsonb) ->> 'hint', 'cancel_request', 'whose remedy is to wait or to cancel');
SELECT is((SELECT r.revision FROM platform.requests AS r), 1, 'and nothing has changed');
SELECT * FROM finish();
ROLLBACK;
