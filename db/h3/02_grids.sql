-- h3.grids: the cells of every grid.
CREATE TABLE IF NOT EXISTS h3.grids (
    grid_id varchar(50) NOT NULL,
    cell bigint NOT NULL,
    resolution smallint NOT NULL,
    parent_cell bigint,
    geom public.geometry(Polygon, 4326) NOT NULL,
    is_land boolean,
    country_code char(2),
    source_job_id varchar(64),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT grids_pkey PRIMARY KEY (grid_id, cell),
    CONSTRAINT grids_resolution_check CHECK (resolution BETWEEN 0 AND 15),
    -- The resolution stands in four bits of the cell.
    CONSTRAINT grids_cell_check CHECK (cell > 0 AND (cell >> 52) & 15 = resolution),
    CONSTRAINT grids_parent_cell_check CHECK ((parent_cell >> 52) & 15 = resolution - 1),
    CONSTRAINT grids_country_code_check CHECK (country_code ~ '^[A-Z]{2}$')
);
CREATE INDEX IF NOT EXISTS idx_grids_cell ON h3.grids (cell);
CREATE INDEX IF NOT EXISTS idx_grids_parent_cell ON h3.grids (parent_cell) WHERE parent_cell IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_grids_geom ON h3.grids USING gist (geom);
CREATE INDEX IF NOT EXISTS idx_grids_country_code ON h3.grids (grid_id, country_code) WHERE country_code IS NOT NULL;
COMMENT ON TABLE h3.grids IS 'The cells of every grid';
COMMENT ON COLUMN h3.grids.grid_id IS 'The grid, e.g. land_res6';
COMMENT ON COLUMN h3.grids.cell IS 'H3 index';
COMMENT ON COLUMN h3.grids.resolution IS 'H3 resolution, 0 to 15; also in the cell''s bits';
COMMENT ON COLUMN h3.grids.parent_cell IS 'Cell one resolution above, by which grids are rolled up';
COMMENT ON COLUMN h3.grids.geom IS 'The hexagon (or pentagon), WGS 84';
COMMENT ON COLUMN h3.grids.is_land IS 'Whether it touches land; NULL where nobody has looked';
COMMENT ON COLUMN h3.grids.country_code IS 'ISO 3166-1 alpha-2 of the country it is in, where known';
COMMENT ON COLUMN h3.grids.source_job_id IS 'Job that made it';
COMMENT ON COLUMN h3.grids.created_at IS 'Made at';
COMMENT ON COLUMN h3.grids.updated_at IS 'Last change';
