-- h3.publish_run: a measurement is complete: readers see it from the end of this transaction, in place of the version before.
--
-- Guarantees  At most one version of a dataset over a grid shows; one of an earlier revision that is complete late does not. Returns
--             the cells that were measured.
-- Locks       rows of h3.zonal_runs of the same dataset and grid.
CREATE OR REPLACE FUNCTION h3.publish_run(run_id bigint)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    run h3.zonal_runs;
    cells bigint;
    is_late boolean;
BEGIN
    SELECT r.* INTO STRICT run FROM h3.zonal_runs AS r WHERE r.run_id = publish_run.run_id;
    SELECT count(DISTINCT s.cell) INTO cells FROM h3.zonal_statistics AS s
     WHERE s.run_id = run.run_id AND h3.resolution(s.cell) = run.resolution;
    is_late := EXISTS (SELECT FROM h3.zonal_runs AS r
                        WHERE r.dataset_id = run.dataset_id AND r.grid_id = run.grid_id AND r.is_current AND r.revision > run.revision);
    UPDATE h3.zonal_runs AS r SET is_current = false WHERE NOT is_late AND r.dataset_id = run.dataset_id AND r.grid_id = run.grid_id AND r.is_current AND r.run_id <> run.run_id;
    UPDATE h3.zonal_runs AS r
       SET status = 'completed', is_current = NOT is_late, cell_count = cells, completed_at = clock_timestamp()
     WHERE r.run_id = run.run_id;
    RETURN cells;
END;
$$;
