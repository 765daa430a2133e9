-- Given-helpers of h3: grids and measurements without a job.

CREATE FUNCTION tests.given_grid(grid_id text, parent text, resolution integer, status text DEFAULT 'completed') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO h3.reference_filters (filter_name, description, definition, provenance, resolution, cells, part_count, source_job_id)
    VALUES (grid_id, 'a test''s', '{}', '{}', h3.resolution(h3.from_text(parent)), ARRAY[h3.from_text(parent)], 0, 'job') ON CONFLICT DO NOTHING;
    INSERT INTO h3.grids (grid_id, resolution, cell, in_filter)
    SELECT given_grid.grid_id, given_grid.resolution, c, true FROM h3.children(h3.from_text(parent), given_grid.resolution) AS c;
    INSERT INTO h3.grid_metadata (grid_id, resolution, status, filter_name, containment, parent_resolution, has_geometry, cell_count,
                                  filter_cell_count, checksum, library, source_job_id, completed_at)
    SELECT given_grid.grid_id, given_grid.resolution, given_grid.status, given_grid.grid_id, 'center', h3.resolution(h3.from_text(parent)), false,
           count(*), count(*), h3.grid_checksum(given_grid.grid_id, given_grid.resolution, h3.resolution(h3.from_text(parent))), 'a test''s', 'job', now()
      FROM h3.grids AS g WHERE g.grid_id = given_grid.grid_id AND g.resolution = given_grid.resolution
    RETURNING cell_count;
$$;

-- A measurement of one variable: in the n-th cell of the grid, n pixels of value n.
CREATE FUNCTION tests.given_run(dataset_id text, grid_id text, resolution integer, coarsest integer, version integer DEFAULT 1,
                                client_role text DEFAULT NULL, request_id text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO h3.zonal_runs (dataset_id, grid_id, version, resolution, coarsest_resolution, source_kind, weighting, variables, client_role,
                               request_id, revision, source_job_id)
    VALUES (given_run.dataset_id, given_run.grid_id, given_run.version, given_run.resolution, coarsest, 'raster', 'center', '[{"name": "height"}]',
            given_run.client_role, given_run.request_id, given_run.version, gen_random_uuid()::text);
    INSERT INTO h3.zonal_statistics (run_id, variable, cell, count, sum, sum_squares, minimum, maximum, nodata_count)
    SELECT r.run_id, 1, g.cell, g.n, g.n * g.n, g.n * g.n * g.n, g.n, g.n, 1
      FROM h3.zonal_runs AS r
     CROSS JOIN LATERAL (SELECT x.cell, row_number() OVER (ORDER BY x.cell) AS n FROM h3.grids AS x WHERE x.grid_id = r.grid_id AND x.resolution = r.resolution) AS g
     WHERE r.dataset_id = given_run.dataset_id AND r.version = given_run.version;
    SELECT max(r.run_id) FROM h3.zonal_runs AS r;
$$;
