-- Workers fill grids and measurements. Clients and readers see what is complete: grids are everybody's, a measurement is its
-- client's (by the session's login, as in docs/decisions/0009) or, where none is named, everybody's.
GRANT SELECT, INSERT, UPDATE, DELETE ON h3.grids, h3.reference_filters, h3.filter_parts, h3.grid_metadata, h3.zonal_runs,
    h3.zonal_statistics, h3.zonal_categories TO geomill_worker;
GRANT SELECT ON h3.cells, h3.reference_filters, h3.filter_parts, h3.grid_metadata, h3.zonal_runs, h3.zonal_statistics, h3.zonal_categories,
    h3.statistics, h3.categories TO geomill_client, geomill_reader, geomill_admin;
GRANT SELECT ON h3.grids TO geomill_admin;
GRANT EXECUTE ON FUNCTION h3.resolution(bigint), h3.base_cell(bigint), h3.digits(bigint), h3.is_pentagon_base(integer), h3.is_pentagon(bigint),
    h3.is_valid(bigint), h3.parent(bigint, integer), h3.first_child(bigint, integer), h3.last_child(bigint, integer),
    h3.child_count(bigint, integer), h3.children(bigint, integer), h3.to_text(bigint), h3.from_text(text)
    TO geomill_worker, geomill_client, geomill_reader, geomill_admin;
GRANT EXECUTE ON FUNCTION h3.grid_checksum(text, integer, integer) TO geomill_worker, geomill_admin;
GRANT EXECUTE ON FUNCTION h3.roll_up(bigint), h3.publish_run(bigint), h3.withdraw_runs(text, integer, integer) TO geomill_worker;
GRANT EXECUTE ON FUNCTION h3.drop_grid(text, boolean) TO geomill_admin;

DO $$
DECLARE
    rule record;
BEGIN
    -- The first version of this file had these.
    REVOKE SELECT ON h3.grids FROM geomill_client, geomill_reader;
    DROP POLICY IF EXISTS workers ON h3.grids;
    DROP POLICY IF EXISTS operators ON h3.grids;
    DROP POLICY IF EXISTS complete ON h3.grids;
    ALTER TABLE h3.grids DISABLE ROW LEVEL SECURITY;

    -- A loop, because CREATE POLICY knows no OR REPLACE.
    FOR rule IN
        SELECT p.*
          FROM (VALUES
                ('zonal_runs', 'workers', 'geomill_worker', 'ALL', 'true'),
                ('zonal_runs', 'operators', 'geomill_admin, geomill_reader', 'SELECT', 'true'),
                ('zonal_runs', 'own_runs', 'geomill_client', 'SELECT', 'status = ''completed'' AND coalesce(client_role = session_user, true)'),
                ('zonal_statistics', 'workers', 'geomill_worker', 'ALL', 'true'),
                ('zonal_statistics', 'as_runs', 'geomill_client, geomill_reader, geomill_admin', 'SELECT', 'run_id IN (SELECT r.run_id FROM h3.zonal_runs AS r)'),
                ('zonal_categories', 'workers', 'geomill_worker', 'ALL', 'true'),
                ('zonal_categories', 'as_runs', 'geomill_client, geomill_reader, geomill_admin', 'SELECT', 'run_id IN (SELECT r.run_id FROM h3.zonal_runs AS r)')
               ) AS p (table_name, policy, roles, command, condition)
    LOOP
        EXECUTE format('ALTER TABLE h3.%I ENABLE ROW LEVEL SECURITY', rule.table_name);
        EXECUTE format('DROP POLICY IF EXISTS %I ON h3.%I', rule.policy, rule.table_name);
        EXECUTE format('CREATE POLICY %I ON h3.%I FOR %s TO %s USING (%s)', rule.policy, rule.table_name, rule.command, rule.roles, rule.condition);
    END LOOP;
END;
$$;
