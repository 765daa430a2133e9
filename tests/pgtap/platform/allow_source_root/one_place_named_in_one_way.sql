BEGIN;
SELECT plan(9);
SELECT tests.given_client() \gset
CREATE FUNCTION pg_temp.refused(root text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN 'allowed ' || platform.allow_source_root('hub', root);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT is(pg_temp.refused('/srv/files'), 'allowed /srv/files/', 'a folder, with its slash');
SELECT is(pg_temp.refused('/srv/files/'), 'allowed /srv/files/', 'again');
SELECT is(pg_temp.refused('s3://bucket'), 'allowed s3://bucket/', 'a bucket');
SELECT is(pg_temp.refused('/'), 'GM422', 'not everything');
SELECT is(pg_temp.refused('s3://'), 'GM422', 'nor every bucket');
SELECT is(pg_temp.refused('/srv/../etc'), 'GM422', 'not by a detour');
SELECT is(pg_temp.refused('srv'), 'GM422', 'not relative');
SELECT is(pg_temp.refused('ftp://host/x'), 'GM422', 'not by another scheme');
SELECT throws_ok($$SELECT platform.allow_source_root('nobody', '/srv/x')$$, 'GM404');
SELECT * FROM finish();
ROLLBACK;
