-- h3.drop_grid: remove a grid with all its resolutions, and what was measured over it.
--
-- Guarantees  All of it or nothing. Returns how many cells went. While a job makes the grid or measures over it, cancel that first:
--             its tasks would find nothing, and fail.
-- Locks       the rows that go.
-- Errors      GM404 no such grid · GM409 something was measured over it, and with_statistics is false.
-- SECURITY DEFINER: administrators have no right to delete from any table of h3.
CREATE OR REPLACE FUNCTION h3.drop_grid(grid_id text, with_statistics boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    runs CONSTANT bigint := (SELECT count(*) FROM h3.zonal_runs AS r WHERE r.grid_id = drop_grid.grid_id);
    cells bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM h3.grid_metadata AS m WHERE m.grid_id = drop_grid.grid_id) THEN
        RAISE EXCEPTION 'there is no grid %', drop_grid.grid_id USING ERRCODE = 'GM404', HINT = 'see h3.grid_metadata',
            DETAIL = jsonb_build_object('code', 'GRID_NOT_FOUND', 'category', 'user', 'field', 'grid_id', 'value', drop_grid.grid_id,
                'message', format('there is no grid %s', drop_grid.grid_id), 'remediation', 'see h3.grid_metadata', 'retryable', false);
    ELSIF runs > 0 AND NOT coalesce(drop_grid.with_statistics, false) THEN
        RAISE EXCEPTION '% measurements are over grid %', runs, drop_grid.grid_id USING ERRCODE = 'GM409', HINT = 'give with_statistics => true to remove them too',
            DETAIL = jsonb_build_object('code', 'GRID_IN_USE', 'category', 'user', 'field', 'grid_id', 'value', drop_grid.grid_id,
                'message', format('%s measurements are over grid %s', runs, drop_grid.grid_id),
                'remediation', 'give with_statistics => true to remove them too', 'retryable', false);
    END IF;
    DELETE FROM h3.zonal_runs AS r WHERE r.grid_id = drop_grid.grid_id;
    DELETE FROM h3.grids AS g WHERE g.grid_id = drop_grid.grid_id;
    GET DIAGNOSTICS cells = ROW_COUNT;
    DELETE FROM h3.grid_metadata AS m WHERE m.grid_id = drop_grid.grid_id;
    DELETE FROM h3.reference_filters AS f WHERE f.filter_name = drop_grid.grid_id;
    RETURN cells;
END;
$$;
