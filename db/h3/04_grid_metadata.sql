-- h3.grid_metadata: one row a grid: what it covers, and how far its making has come.
CREATE TABLE IF NOT EXISTS h3.grid_metadata (
    grid_id varchar(50) NOT NULL,
    description text,
    resolution smallint NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    cell_count bigint,
    land_cell_count bigint,
    extent public.geometry(Polygon, 4326),
    parent_grid_id varchar(50),
    filter_name varchar(100),
    source_job_id varchar(64),
    processing_metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT grid_metadata_pkey PRIMARY KEY (grid_id),
    CONSTRAINT grid_metadata_parent_grid_id_fkey FOREIGN KEY (parent_grid_id) REFERENCES h3.grid_metadata (grid_id),
    CONSTRAINT grid_metadata_filter_name_fkey FOREIGN KEY (filter_name) REFERENCES h3.reference_filters (filter_name),
    CONSTRAINT grid_metadata_resolution_check CHECK (resolution BETWEEN 0 AND 15),
    CONSTRAINT grid_metadata_status_check CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    CONSTRAINT grid_metadata_cell_count_check CHECK (cell_count >= 0),
    CONSTRAINT grid_metadata_land_cell_count_check CHECK (land_cell_count BETWEEN 0 AND cell_count)
);
CREATE INDEX IF NOT EXISTS idx_grid_metadata_status ON h3.grid_metadata (status);
CREATE INDEX IF NOT EXISTS idx_grid_metadata_parent_grid_id ON h3.grid_metadata (parent_grid_id);
CREATE INDEX IF NOT EXISTS idx_grid_metadata_filter_name ON h3.grid_metadata (filter_name);
COMMENT ON TABLE h3.grid_metadata IS 'One row a grid: what it covers, and how far its making has come';
COMMENT ON COLUMN h3.grid_metadata.grid_id IS 'The grid, e.g. land_res6';
COMMENT ON COLUMN h3.grid_metadata.description IS 'What it is for';
COMMENT ON COLUMN h3.grid_metadata.resolution IS 'H3 resolution';
COMMENT ON COLUMN h3.grid_metadata.status IS 'pending, processing, completed or failed';
COMMENT ON COLUMN h3.grid_metadata.cell_count IS 'Cells it has';
COMMENT ON COLUMN h3.grid_metadata.land_cell_count IS 'Of them, those that touch land';
COMMENT ON COLUMN h3.grid_metadata.extent IS 'Its extent, WGS 84';
COMMENT ON COLUMN h3.grid_metadata.parent_grid_id IS 'Grid one resolution above that it was made from';
COMMENT ON COLUMN h3.grid_metadata.filter_name IS 'Filter that it was cut by';
COMMENT ON COLUMN h3.grid_metadata.source_job_id IS 'Job that makes it';
COMMENT ON COLUMN h3.grid_metadata.processing_metadata IS 'What its making found';
COMMENT ON COLUMN h3.grid_metadata.created_at IS 'Asked for at';
COMMENT ON COLUMN h3.grid_metadata.started_at IS 'Making started at';
COMMENT ON COLUMN h3.grid_metadata.completed_at IS 'Made at';
COMMENT ON COLUMN h3.grid_metadata.updated_at IS 'Last change';
