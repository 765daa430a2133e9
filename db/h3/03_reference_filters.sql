-- h3.reference_filters: named sets of cells by which grids are cut, such as land at resolution 2.
CREATE TABLE IF NOT EXISTS h3.reference_filters (
    filter_name varchar(100) NOT NULL,
    description text NOT NULL,
    resolution smallint NOT NULL,
    cells bigint[] NOT NULL,
    cell_count integer GENERATED ALWAYS AS (cardinality(cells)) STORED,
    extent public.geometry(Polygon, 4326),
    source_grid_id varchar(50),
    source_job_id varchar(64),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reference_filters_pkey PRIMARY KEY (filter_name),
    CONSTRAINT reference_filters_resolution_check CHECK (resolution BETWEEN 0 AND 15),
    CONSTRAINT reference_filters_cells_check CHECK (array_position(cells, NULL) IS NULL)
);
COMMENT ON TABLE h3.reference_filters IS 'Named sets of cells by which grids are cut';
COMMENT ON COLUMN h3.reference_filters.filter_name IS 'Name, e.g. land_res2';
COMMENT ON COLUMN h3.reference_filters.description IS 'What the set is, for people';
COMMENT ON COLUMN h3.reference_filters.resolution IS 'H3 resolution of its cells';
COMMENT ON COLUMN h3.reference_filters.cells IS 'H3 indexes';
COMMENT ON COLUMN h3.reference_filters.cell_count IS 'How many';
COMMENT ON COLUMN h3.reference_filters.extent IS 'Their extent, WGS 84';
COMMENT ON COLUMN h3.reference_filters.source_grid_id IS 'Grid that it was taken from';
COMMENT ON COLUMN h3.reference_filters.source_job_id IS 'Job that made it';
COMMENT ON COLUMN h3.reference_filters.created_at IS 'Made at';
COMMENT ON COLUMN h3.reference_filters.updated_at IS 'Last change';
