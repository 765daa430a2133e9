-- Each state of a request, against a submission of the same identity: with the same content or other, with overwrite or without.
BEGIN;
CREATE TEMPORARY TABLE matrix (state text, content text, overwrite boolean, outcome text);
INSERT INTO matrix VALUES
    ('none', 'same', false, 'revision 1'), ('none', 'same', true, 'revision 1'),
    ('pending', 'same', false, 'same'), ('pending', 'same', true, 'same'), ('pending', 'other', false, 'REQUEST_EXISTS'), ('pending', 'other', true, 'REQUEST_OPEN'),
    ('processing', 'same', false, 'same'), ('processing', 'same', true, 'same'), ('processing', 'other', false, 'REQUEST_EXISTS'), ('processing', 'other', true, 'REQUEST_OPEN'),
    ('completed', 'same', false, 'same'), ('completed', 'same', true, 'revision 2'), ('completed', 'other', false, 'REQUEST_EXISTS'), ('completed', 'other', true, 'revision 2'),
    ('completed_with_errors', 'same', false, 'same'), ('completed_with_errors', 'same', true, 'revision 2'),
    ('completed_with_errors', 'other', false, 'REQUEST_EXISTS'), ('completed_with_errors', 'other', true, 'revision 2'),
    ('failed', 'same', false, 'same, REQUEST_FAILED'), ('failed', 'same', true, 'revision 2'), ('failed', 'other', false, 'REQUEST_EXISTS'), ('failed', 'other', true, 'revision 2'),
    ('cancelled', 'same', false, 'same, REQUEST_CANCELLED'), ('cancelled', 'same', true, 'revision 2'), ('cancelled', 'other', false, 'REQUEST_EXISTS'), ('cancelled', 'other', true, 'revision 2'),
    ('unpublished', 'same', false, 'revision 2'), ('unpublished', 'same', true, 'revision 2'), ('unpublished', 'other', false, 'revision 2'), ('unpublished', 'other', true, 'revision 2'),
    ('being unpublished', 'same', false, 'revision 2'), ('being unpublished', 'same', true, 'revision 2'),
    ('being unpublished', 'other', false, 'revision 2'), ('being unpublished', 'other', true, 'revision 2');
SELECT plan((SELECT count(*)::integer * 2 + 1 FROM matrix));
SELECT tests.given_client() \gset
SELECT set_eq('SELECT DISTINCT state FROM matrix WHERE state NOT IN (''none'', ''being unpublished'')', 'SELECT unnest(enum_range(NULL::platform.request_status))::text', 'every status is in the matrix');

CREATE FUNCTION pg_temp.submit(version text, file text, overwrite boolean, dry_run boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made text := format('SELECT * FROM platform.submit_request(%L, %L, %L, %L, processing_config => %L, dry_run => %L)',
                                 'Base Map', 'roads', version, '/data/hub/' || file, CASE WHEN overwrite THEN '{"overwrite": true}' ELSE '{}' END, dry_run);
    answer jsonb;
BEGIN
    BEGIN
        answer := tests.ask('hub', made);
    EXCEPTION WHEN SQLSTATE 'GM409' THEN
        RESET SESSION AUTHORIZATION;
        GET STACKED DIAGNOSTICS made = PG_EXCEPTION_DETAIL;
        RETURN made::jsonb ->> 'code';
    END;
    RETURN CASE WHEN (answer ->> 'created')::boolean OR (dry_run AND answer #>> '{warnings,-1,code}' = 'DRY_RUN') THEN 'revision ' || (answer ->> 'revision')
                ELSE concat_ws(', ', 'same', answer #>> '{warnings,0,code}') END;
END;
$$;
CREATE FUNCTION pg_temp.outcome(state text, content text, overwrite boolean, dry_run boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    version constant text := md5(concat_ws('|', state, content, overwrite, dry_run));
BEGIN
    IF state <> 'none' THEN
        PERFORM pg_temp.submit(version, 'roads.gpkg', false, false);
        -- Where it stands is all that is to be decided by; how it came there is shown elsewhere.
        PERFORM set_config('session_replication_role', 'replica', true);
        UPDATE platform.requests AS r
           SET status = CASE state WHEN 'being unpublished' THEN 'completed' ELSE state END::platform.request_status,
               unpublish_revision = CASE WHEN state ~ 'unpublished' THEN 1 END, published_revision = CASE WHEN state ~ 'completed' THEN 1 END
         WHERE r.version_id = version;
        UPDATE app.jobs AS j SET status = 'completed' FROM platform.requests AS r WHERE r.version_id = version AND j.platform_request_id = r.request_id AND r.status NOT IN ('pending', 'processing');
        PERFORM set_config('session_replication_role', 'origin', true);
    END IF;
    RETURN pg_temp.submit(version, CASE content WHEN 'same' THEN 'roads.gpkg' ELSE 'new.gpkg' END, overwrite, dry_run);
END;
$$;
SELECT is(pg_temp.outcome(m.state, m.content, m.overwrite, false), m.outcome, concat_ws(', ', m.state, m.content || ' content', CASE WHEN m.overwrite THEN 'overwrite' END)) FROM matrix AS m;
SELECT is(pg_temp.outcome(m.state, m.content, m.overwrite, true), m.outcome, concat_ws(', ', m.state, m.content || ' content', CASE WHEN m.overwrite THEN 'overwrite' END, 'dry run')) FROM matrix AS m;
SELECT * FROM finish();
ROLLBACK;
