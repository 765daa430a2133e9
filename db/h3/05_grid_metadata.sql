-- h3.grid_metadata: one row for each resolution of a grid: what it covers, how and by what it was made, and how far that is.
CREATE TABLE IF NOT EXISTS h3.grid_metadata (
    grid_id varchar(50) COLLATE "C" NOT NULL,
    resolution smallint NOT NULL,
    description text,
    status text NOT NULL DEFAULT 'processing',
    filter_name varchar(50) NOT NULL,
    containment text NOT NULL,
    parent_resolution smallint NOT NULL,
    has_geometry boolean NOT NULL,
    cell_count bigint,
    filter_cell_count bigint,
    checksum char(64),
    library text,
    processing_metadata jsonb NOT NULL DEFAULT '{}',
    source_job_id varchar(64) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT grid_metadata_pkey PRIMARY KEY (grid_id, resolution),
    CONSTRAINT grid_metadata_filter_name_fkey FOREIGN KEY (filter_name) REFERENCES h3.reference_filters (filter_name),
    CONSTRAINT grid_metadata_grid_id_check CHECK (grid_id ~ '^[a-z][a-z0-9_]*$'),
    CONSTRAINT grid_metadata_resolution_check CHECK (resolution BETWEEN 0 AND 15),
    CONSTRAINT grid_metadata_parent_resolution_check CHECK (parent_resolution BETWEEN 0 AND resolution),
    CONSTRAINT grid_metadata_status_check CHECK (status IN ('processing', 'completed')),
    CONSTRAINT grid_metadata_containment_check CHECK (containment IN ('center', 'full', 'overlap')),
    CONSTRAINT grid_metadata_filter_cell_count_check CHECK (filter_cell_count BETWEEN 0 AND cell_count),
    -- A grid that shows is whole, and says so.
    CONSTRAINT grid_metadata_completed_check CHECK (
        status <> 'completed' OR (cell_count IS NOT NULL AND filter_cell_count IS NOT NULL AND checksum IS NOT NULL AND library IS NOT NULL AND completed_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS idx_grid_metadata_filter_name ON h3.grid_metadata (filter_name);
COMMENT ON TABLE h3.grid_metadata IS 'One row for each resolution of a grid';
COMMENT ON COLUMN h3.grid_metadata.grid_id IS 'The grid, e.g. land';
COMMENT ON COLUMN h3.grid_metadata.resolution IS 'H3 resolution';
COMMENT ON COLUMN h3.grid_metadata.description IS 'What it is for';
COMMENT ON COLUMN h3.grid_metadata.status IS 'processing, or completed: whole, and visible to readers';
COMMENT ON COLUMN h3.grid_metadata.filter_name IS 'What it was cut by';
COMMENT ON COLUMN h3.grid_metadata.containment IS 'When a cell is in the filter: its center is, all of it (full), or any of it (overlap)';
COMMENT ON COLUMN h3.grid_metadata.parent_resolution IS 'Resolution of the parents that tasks made it by, and its checksum is taken by';
COMMENT ON COLUMN h3.grid_metadata.has_geometry IS 'Whether its cells are stored with their geometry';
COMMENT ON COLUMN h3.grid_metadata.cell_count IS 'Cells it has';
COMMENT ON COLUMN h3.grid_metadata.filter_cell_count IS 'Of them, those in the filter';
COMMENT ON COLUMN h3.grid_metadata.checksum IS 'h3.grid_checksum, when it was made';
COMMENT ON COLUMN h3.grid_metadata.library IS 'Name and version of the library that made its cells';
COMMENT ON COLUMN h3.grid_metadata.processing_metadata IS 'What its making found: tasks, software';
COMMENT ON COLUMN h3.grid_metadata.source_job_id IS 'Job that makes it';
COMMENT ON COLUMN h3.grid_metadata.created_at IS 'Making started at';
COMMENT ON COLUMN h3.grid_metadata.completed_at IS 'Made at';
COMMENT ON COLUMN h3.grid_metadata.updated_at IS 'Last change';
