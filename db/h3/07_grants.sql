-- Workers fill the grids; everybody else reads them.
GRANT SELECT, INSERT, UPDATE, DELETE ON h3.grids, h3.reference_filters, h3.grid_metadata TO geomill_worker;
GRANT SELECT ON h3.grids, h3.reference_filters, h3.grid_metadata TO geomill_reader, geomill_admin;
