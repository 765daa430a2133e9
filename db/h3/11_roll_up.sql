-- h3.roll_up: the sums of a measurement, from its resolution up to the coarsest that was asked for, each from the one below.
--
-- Guarantees  Repeatable: rows of coarser resolutions are made anew. Returns how many there are.
-- Locks       rows of the measurement.
CREATE OR REPLACE FUNCTION h3.roll_up(run_id bigint)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    run h3.zonal_runs;
    made bigint;
    total bigint := 0;
BEGIN
    SELECT r.* INTO STRICT run FROM h3.zonal_runs AS r WHERE r.run_id = roll_up.run_id;
    DELETE FROM h3.zonal_statistics AS s WHERE s.run_id = run.run_id AND h3.resolution(s.cell) < run.resolution;
    DELETE FROM h3.zonal_categories AS c WHERE c.run_id = run.run_id AND h3.resolution(c.cell) < run.resolution;
    -- A loop, because each resolution is made from the one just made.
    FOR coarser IN REVERSE run.resolution - 1 .. run.coarsest_resolution LOOP
        INSERT INTO h3.zonal_statistics (run_id, variable, cell, count, sum, sum_squares, minimum, maximum, nodata_count)
        SELECT s.run_id, s.variable, h3.parent(s.cell, coarser), sum(s.count), sum(s.sum), sum(s.sum_squares), min(s.minimum), max(s.maximum), sum(s.nodata_count)
          FROM h3.zonal_statistics AS s
         WHERE s.run_id = run.run_id AND h3.resolution(s.cell) = coarser + 1
         GROUP BY s.run_id, s.variable, h3.parent(s.cell, coarser);
        GET DIAGNOSTICS made = ROW_COUNT;
        total := total + made;
        INSERT INTO h3.zonal_categories (run_id, variable, cell, category, count)
        SELECT c.run_id, c.variable, h3.parent(c.cell, coarser), c.category, sum(c.count)
          FROM h3.zonal_categories AS c
         WHERE c.run_id = run.run_id AND h3.resolution(c.cell) = coarser + 1
         GROUP BY c.run_id, c.variable, h3.parent(c.cell, coarser), c.category;
    END LOOP;
    RETURN total;
END;
$$;
