-- h3.grids: the cells of every grid, a partition for each resolution: the finest has most of the rows, and the others stay small
-- (docs/decisions/0090). A row holds nothing that its grid's metadata can say once.
CREATE TABLE IF NOT EXISTS h3.grids (
    grid_id varchar(50) COLLATE "C" NOT NULL,
    resolution smallint NOT NULL,
    cell bigint NOT NULL,
    parent_cell bigint GENERATED ALWAYS AS (h3.parent(cell, resolution - 1)) STORED,
    in_filter boolean NOT NULL,
    geom public.geometry(MultiPolygon, 4326),
    CONSTRAINT grids_pkey PRIMARY KEY (grid_id, resolution, cell),
    CONSTRAINT grids_cell_check CHECK (h3.resolution(cell) = resolution AND h3.is_valid(cell))
) PARTITION BY LIST (resolution);
COMMENT ON TABLE h3.grids IS 'The cells of every grid';
COMMENT ON COLUMN h3.grids.grid_id IS 'The grid, e.g. land';
COMMENT ON COLUMN h3.grids.resolution IS 'H3 resolution, 0 to 15; also in the cell''s bits';
COMMENT ON COLUMN h3.grids.cell IS 'H3 index; h3.to_text writes it as others do';
COMMENT ON COLUMN h3.grids.parent_cell IS 'Cell one resolution above';
COMMENT ON COLUMN h3.grids.in_filter IS 'Whether it is in what the grid was cut by; all are, unless the grid keeps those outside, marked';
COMMENT ON COLUMN h3.grids.geom IS 'The hexagon (or pentagon), WGS 84, cut at the antimeridian; NULL unless the grid was asked for with geometry';
DO $$
BEGIN
    -- A loop, because each partition is a statement.
    FOR resolution IN 0 .. 15 LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS h3.%I PARTITION OF h3.grids FOR VALUES IN (%s)', 'grids_r' || resolution, resolution);
        EXECUTE format('COMMENT ON TABLE h3.%I IS %L', 'grids_r' || resolution, 'The cells of resolution ' || resolution);
    END LOOP;
END;
$$;
CREATE INDEX IF NOT EXISTS idx_grids_geom ON h3.grids USING gist (geom) WHERE geom IS NOT NULL;
