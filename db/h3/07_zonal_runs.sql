-- h3.zonal_runs: one measurement of a dataset over a grid: what, by which rule, how far, and where the dataset is catalogued.
--
-- A dataset measured again over the same grid is a new version; readers see the latest that is complete.
CREATE TABLE IF NOT EXISTS h3.zonal_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY,
    dataset_id varchar(600) NOT NULL,
    grid_id varchar(50) COLLATE "C" NOT NULL,
    version integer NOT NULL,
    resolution smallint NOT NULL,
    coarsest_resolution smallint NOT NULL,
    status text NOT NULL DEFAULT 'processing',
    is_current boolean NOT NULL DEFAULT false,
    source_kind text NOT NULL,
    weighting text NOT NULL,
    variables jsonb NOT NULL,
    client_role varchar(63),
    request_id varchar(32),
    revision integer,
    stac_collection_id varchar(100),
    stac_item_id varchar(600),
    cell_count bigint,
    processing_metadata jsonb NOT NULL DEFAULT '{}',
    source_job_id varchar(64) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT zonal_runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT zonal_runs_source_job_id_key UNIQUE (source_job_id),
    CONSTRAINT zonal_runs_dataset_id_grid_id_version_key UNIQUE (dataset_id, grid_id, version),
    CONSTRAINT zonal_runs_grid_id_resolution_fkey FOREIGN KEY (grid_id, resolution) REFERENCES h3.grid_metadata (grid_id, resolution),
    CONSTRAINT zonal_runs_version_check CHECK (version >= 1),
    CONSTRAINT zonal_runs_coarsest_resolution_check CHECK (coarsest_resolution BETWEEN 0 AND resolution),
    CONSTRAINT zonal_runs_status_check CHECK (status IN ('processing', 'completed')),
    CONSTRAINT zonal_runs_is_current_check CHECK (status = 'completed' OR NOT is_current),
    CONSTRAINT zonal_runs_source_kind_check CHECK (source_kind IN ('raster', 'table')),
    CONSTRAINT zonal_runs_weighting_check CHECK (weighting IN ('center', 'area'))
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_zonal_runs_current ON h3.zonal_runs (dataset_id, grid_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS idx_zonal_runs_grid_id_resolution ON h3.zonal_runs (grid_id, resolution);
CREATE INDEX IF NOT EXISTS idx_zonal_runs_request_id ON h3.zonal_runs (request_id, revision);
COMMENT ON TABLE h3.zonal_runs IS 'Measurements of datasets over grids';
COMMENT ON COLUMN h3.zonal_runs.run_id IS 'Key';
COMMENT ON COLUMN h3.zonal_runs.dataset_id IS 'The dataset: of a request its STAC item''s id, after its client''s';
COMMENT ON COLUMN h3.zonal_runs.grid_id IS 'The grid';
COMMENT ON COLUMN h3.zonal_runs.version IS 'Version, from 1: each measurement of the dataset over the grid is one';
COMMENT ON COLUMN h3.zonal_runs.resolution IS 'H3 resolution that was measured';
COMMENT ON COLUMN h3.zonal_runs.coarsest_resolution IS 'H3 resolution down from which sums were rolled up';
COMMENT ON COLUMN h3.zonal_runs.status IS 'processing, or completed: whole';
COMMENT ON COLUMN h3.zonal_runs.is_current IS 'Whether this is the version that h3.statistics and h3.categories show';
COMMENT ON COLUMN h3.zonal_runs.source_kind IS 'raster or table';
COMMENT ON COLUMN h3.zonal_runs.weighting IS 'center: a pixel counts where its centre is; area: by the share of it that is in the cell';
COMMENT ON COLUMN h3.zonal_runs.variables IS 'What was measured, in order: name, kind (values, categories or features), band or column';
COMMENT ON COLUMN h3.zonal_runs.client_role IS 'Login that may read it; NULL: every client may';
COMMENT ON COLUMN h3.zonal_runs.request_id IS 'Request that it belongs to and goes with; no foreign key, for h3 depends on no other schema';
COMMENT ON COLUMN h3.zonal_runs.revision IS 'Revision of the request';
COMMENT ON COLUMN h3.zonal_runs.stac_collection_id IS 'STAC collection of the dataset''s item';
COMMENT ON COLUMN h3.zonal_runs.stac_item_id IS 'STAC item of the dataset; NULL for a collection as a whole';
COMMENT ON COLUMN h3.zonal_runs.cell_count IS 'Cells of the measured resolution that have a row';
COMMENT ON COLUMN h3.zonal_runs.processing_metadata IS 'Sources, software, and what was counted';
COMMENT ON COLUMN h3.zonal_runs.source_job_id IS 'Job that made it';
COMMENT ON COLUMN h3.zonal_runs.created_at IS 'Started at';
COMMENT ON COLUMN h3.zonal_runs.completed_at IS 'Complete at';
COMMENT ON COLUMN h3.zonal_runs.updated_at IS 'Last change';
