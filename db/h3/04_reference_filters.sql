-- h3.reference_filters and h3.filter_parts: what a grid was cut by: as a set of coarse cells, and as the geometry itself.
--
-- The geometry is a copy, made when the grid was: a table of geo that changes later changes no grid that is half made, and
-- anybody can see what a cell was judged by.
DO $$
BEGIN
    -- Before version 0.2 the tables had another shape, and nothing wrote to them.
    IF EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('h3.grids') AND attname = 'is_land') THEN
        IF EXISTS (SELECT FROM h3.grids) OR EXISTS (SELECT FROM h3.reference_filters) OR EXISTS (SELECT FROM h3.grid_metadata) THEN
            RAISE EXCEPTION 'h3.grids, h3.reference_filters or h3.grid_metadata has rows in a shape that no version of geomill wrote'
                USING HINT = 'rename schema h3 and deploy again; then make your grids anew by bootstrap_h3_grid';
        END IF;
        DROP TABLE h3.grids, h3.grid_metadata, h3.reference_filters;
    END IF;
END;
$$;

CREATE TABLE IF NOT EXISTS h3.reference_filters (
    filter_name varchar(50) NOT NULL,
    description text NOT NULL,
    definition jsonb NOT NULL,
    provenance jsonb NOT NULL,
    resolution smallint NOT NULL,
    cells bigint[] NOT NULL,
    cell_count integer GENERATED ALWAYS AS (cardinality(cells)) STORED,
    part_count integer NOT NULL,
    extent public.geometry(Polygon, 4326),
    source_job_id varchar(64) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reference_filters_pkey PRIMARY KEY (filter_name),
    CONSTRAINT reference_filters_resolution_check CHECK (resolution BETWEEN 0 AND 15),
    CONSTRAINT reference_filters_cells_check CHECK (array_position(cells, NULL) IS NULL)
);
COMMENT ON TABLE h3.reference_filters IS 'What grids were cut by';
COMMENT ON COLUMN h3.reference_filters.filter_name IS 'Name: that of the grid';
COMMENT ON COLUMN h3.reference_filters.description IS 'What it is, for people';
COMMENT ON COLUMN h3.reference_filters.definition IS 'As it was asked for: kind, and what the kind needs';
COMMENT ON COLUMN h3.reference_filters.provenance IS 'Where its geometry is from: source, licence, version, checksum';
COMMENT ON COLUMN h3.reference_filters.resolution IS 'H3 resolution of its cells';
COMMENT ON COLUMN h3.reference_filters.cells IS 'Coarse cells in or near it: all others have nothing of it';
COMMENT ON COLUMN h3.reference_filters.cell_count IS 'How many';
COMMENT ON COLUMN h3.reference_filters.part_count IS 'Parts of its geometry; 0: the whole world';
COMMENT ON COLUMN h3.reference_filters.extent IS 'Its extent, WGS 84';
COMMENT ON COLUMN h3.reference_filters.source_job_id IS 'Job that made it';
COMMENT ON COLUMN h3.reference_filters.created_at IS 'Made at';
COMMENT ON COLUMN h3.reference_filters.updated_at IS 'Last change';

CREATE TABLE IF NOT EXISTS h3.filter_parts (
    filter_name varchar(50) NOT NULL,
    part integer NOT NULL,
    geom public.geometry(Polygon, 4326) NOT NULL,
    CONSTRAINT filter_parts_pkey PRIMARY KEY (filter_name, part),
    CONSTRAINT filter_parts_filter_name_fkey FOREIGN KEY (filter_name) REFERENCES h3.reference_filters (filter_name) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_filter_parts_geom ON h3.filter_parts USING gist (geom);
COMMENT ON TABLE h3.filter_parts IS 'The geometry of a filter, in parts small enough to look up';
COMMENT ON COLUMN h3.filter_parts.filter_name IS 'The filter';
COMMENT ON COLUMN h3.filter_parts.part IS 'Number, from 1';
COMMENT ON COLUMN h3.filter_parts.geom IS 'The part, WGS 84';
