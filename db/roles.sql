-- The group roles, and what they may do to each other. Roles belong to the whole cluster: they are made if they are missing,
-- and logins, passwords and memberships of people and services are nobody's business here. Repeatable; writes nothing twice.
--
--   geomill_owner    owns app, platform, geo and h3, and everything generated in them
--   geomill_api      owns the functions that clients call, and no table: row-level security binds it
--   geomill_worker   claims, completes, and makes tables in geo
--   geomill_client   a data hub: submits and asks
--   geomill_gateway  a login that several clients share by API key
--   geomill_admin    clients, keys, health, repair
--   geomill_reader   published tables of geo
DO $$
DECLARE
    wanted text;
    pair record;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['geomill_owner', 'geomill_api', 'geomill_worker', 'geomill_client', 'geomill_gateway', 'geomill_admin', 'geomill_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;

    -- The owner acts for workers and the API, ends backends of dead attempts, and sees what they wait for.
    FOR pair IN
        SELECT g.role, g.member
          FROM (VALUES ('geomill_worker', 'geomill_owner'), ('geomill_api', 'geomill_owner'), ('pg_signal_backend', 'geomill_owner'),
                       ('pg_read_all_stats', 'geomill_owner')) AS g (role, member)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members AS m
                            WHERE m.roleid = g.role::regrole AND m.member = g.member::regrole)
    LOOP
        EXECUTE format('GRANT %I TO %I', pair.role, pair.member);
    END LOOP;

    -- The one who deploys acts as the owner: a superuser may, others must be members.
    IF NOT pg_has_role(current_user, 'geomill_owner', 'MEMBER') THEN
        EXECUTE format('GRANT geomill_owner TO %I', current_user);
    END IF;

    -- PUBLIC executes nothing that one of these makes, at no moment. To tables and sequences it has no right by itself.
    FOREACH wanted IN ARRAY ARRAY['geomill_owner', 'geomill_api', 'geomill_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_default_acl AS d
                        WHERE d.defaclrole = wanted::regrole AND d.defaclnamespace = 0 AND d.defaclobjtype = 'f'
                          AND NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) AS a WHERE a.grantee = 0)) THEN
            EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', wanted);
        END IF;
    END LOOP;

    -- Before PostgreSQL 15, and in databases that come from there, everybody may create in public.
    IF has_schema_privilege('public', 'public', 'CREATE') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
END;
$$;
