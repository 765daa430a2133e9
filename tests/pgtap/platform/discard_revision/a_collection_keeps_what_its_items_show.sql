BEGIN;
SELECT plan(4);
SELECT tests.given_client() \gset
SELECT tests.ask('hub', $$SELECT * FROM platform.submit_request('d', 'r', 'v', '/data/hub/x/', 'collection')$$) ->> 'request_id' AS id \gset
UPDATE platform.requests SET revision = 3, published_revision = 2 WHERE request_id = :'id';
SELECT platform.discard_revision(r, 1) FROM platform.requests AS r WHERE r.request_id = :'id' \gset
SELECT is((SELECT array_agg(j.job_type::text) FROM app.jobs AS j WHERE j.job_type LIKE 'discard%'), '{discard_superseded}', 'files of an earlier revision may be shown');
SELECT is((SELECT j.parameters -> 'revision' FROM app.jobs AS j WHERE j.job_type = 'discard_superseded'), '2', 'beside those of the one that readers see');
SELECT platform.discard_revision(r, 3) FROM platform.requests AS r WHERE r.request_id = :'id' \gset
SELECT is((SELECT j.parameters -> 'revision' FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'), '3', 'nothing of a later one is');
UPDATE platform.requests SET published_revision = NULL WHERE request_id = :'id';
SELECT platform.discard_revision(r, 2) FROM platform.requests AS r WHERE r.request_id = :'id' \gset
SELECT is((SELECT count(*) FROM app.jobs AS j WHERE j.job_type = 'discard_artefacts'), 2::bigint, 'nor where nothing is seen');
SELECT * FROM finish();
ROLLBACK;
