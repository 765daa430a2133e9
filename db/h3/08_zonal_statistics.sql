-- h3.zonal_statistics and h3.zonal_categories: what was measured in each cell, as sums that can be added up.
--
-- Never a mean: count, sum and sum of squares of cells add up to those of their parent, and means and deviations follow
-- (h3.statistics). Coarser resolutions than the measured one are rows of the same tables.
CREATE TABLE IF NOT EXISTS h3.zonal_statistics (
    run_id bigint NOT NULL,
    variable smallint NOT NULL,
    cell bigint NOT NULL,
    count double precision NOT NULL,
    sum double precision,
    sum_squares double precision,
    minimum double precision,
    maximum double precision,
    nodata_count double precision NOT NULL,
    CONSTRAINT zonal_statistics_pkey PRIMARY KEY (run_id, variable, cell),
    CONSTRAINT zonal_statistics_run_id_fkey FOREIGN KEY (run_id) REFERENCES h3.zonal_runs (run_id) ON DELETE CASCADE,
    CONSTRAINT zonal_statistics_count_check CHECK (count >= 0 AND nodata_count >= 0)
);
COMMENT ON TABLE h3.zonal_statistics IS 'What was measured in each cell, as sums';
COMMENT ON COLUMN h3.zonal_statistics.run_id IS 'The measurement';
COMMENT ON COLUMN h3.zonal_statistics.variable IS 'Which of its variables, from 1';
COMMENT ON COLUMN h3.zonal_statistics.cell IS 'H3 index, of the measured resolution or a coarser one';
COMMENT ON COLUMN h3.zonal_statistics.count IS 'Pixels with a value, by their weight; or features';
COMMENT ON COLUMN h3.zonal_statistics.sum IS 'Sum of their values, each times its weight; NULL where there are no values to add';
COMMENT ON COLUMN h3.zonal_statistics.sum_squares IS 'Sum of the squares of their values, each times its weight';
COMMENT ON COLUMN h3.zonal_statistics.minimum IS 'Least value';
COMMENT ON COLUMN h3.zonal_statistics.maximum IS 'Greatest value';
COMMENT ON COLUMN h3.zonal_statistics.nodata_count IS 'Pixels without a value, by their weight; or features whose value is null';

CREATE TABLE IF NOT EXISTS h3.zonal_categories (
    run_id bigint NOT NULL,
    variable smallint NOT NULL,
    cell bigint NOT NULL,
    category double precision NOT NULL,
    count double precision NOT NULL,
    CONSTRAINT zonal_categories_pkey PRIMARY KEY (run_id, variable, cell, category),
    CONSTRAINT zonal_categories_run_id_fkey FOREIGN KEY (run_id) REFERENCES h3.zonal_runs (run_id) ON DELETE CASCADE,
    CONSTRAINT zonal_categories_count_check CHECK (count > 0)
);
COMMENT ON TABLE h3.zonal_categories IS 'How often each category was met in each cell';
COMMENT ON COLUMN h3.zonal_categories.run_id IS 'The measurement';
COMMENT ON COLUMN h3.zonal_categories.variable IS 'Which of its variables, from 1';
COMMENT ON COLUMN h3.zonal_categories.cell IS 'H3 index, of the measured resolution or a coarser one';
COMMENT ON COLUMN h3.zonal_categories.category IS 'The value that stands for it';
COMMENT ON COLUMN h3.zonal_categories.count IS 'Pixels of it, by their weight';
