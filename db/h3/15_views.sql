-- What readers ask.

-- h3.cells: the cells of the grids that are complete. A view and no policy on the table: COPY, by which grids are made, does not go
-- together with row-level security.
CREATE OR REPLACE VIEW h3.cells AS
SELECT g.grid_id, g.resolution, g.cell, g.parent_cell, g.in_filter, g.geom
  FROM h3.grids AS g
 WHERE EXISTS (SELECT FROM h3.grid_metadata AS m WHERE m.grid_id = g.grid_id AND m.resolution = g.resolution AND m.status = 'completed');
COMMENT ON VIEW h3.cells IS 'The cells of complete grids';

-- h3.statistics and h3.categories: the current version of each dataset over each grid, with what follows from the sums, joined to the
-- catalogue by the item's id.
--
-- Guarantees  Whoever asks sees what the tables' policies let them see (security_invoker).
CREATE OR REPLACE VIEW h3.statistics WITH (security_invoker) AS
SELECT r.dataset_id, r.grid_id, r.version, h3.resolution(s.cell)::smallint AS resolution, s.cell,
       r.variables -> (s.variable - 1) ->> 'name' AS variable, s.count, s.sum, s.sum / nullif(s.count, 0) AS mean,
       sqrt(greatest(s.sum_squares / nullif(s.count, 0) - (s.sum / nullif(s.count, 0)) ^ 2, 0)) AS stddev,
       s.minimum, s.maximum, s.nodata_count, r.weighting, r.stac_collection_id, r.stac_item_id, r.request_id, r.run_id, r.revision
  FROM h3.zonal_runs AS r
  JOIN h3.zonal_statistics AS s ON s.run_id = r.run_id
 WHERE r.is_current;
COMMENT ON VIEW h3.statistics IS 'Zonal statistics: the current version of each dataset over each grid';

CREATE OR REPLACE VIEW h3.categories WITH (security_invoker) AS
SELECT r.dataset_id, r.grid_id, r.version, h3.resolution(c.cell)::smallint AS resolution, c.cell,
       r.variables -> (c.variable - 1) ->> 'name' AS variable, c.category, c.count, c.count / s.count AS share,
       r.stac_collection_id, r.stac_item_id, r.request_id, r.run_id, r.revision
  FROM h3.zonal_runs AS r
  JOIN h3.zonal_categories AS c ON c.run_id = r.run_id
  JOIN h3.zonal_statistics AS s ON s.run_id = c.run_id AND s.variable = c.variable AND s.cell = c.cell
 WHERE r.is_current;
COMMENT ON VIEW h3.categories IS 'Zonal counts of categories: the current version of each dataset over each grid';
