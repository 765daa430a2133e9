-- h3: hexagonal grids, made once and rarely changed, and what was measured over them. Cells are H3 indexes as bigint; their
-- arithmetic is SQL's. Made by deploy where it is missing; no deploy of the other schemas touches it.
CREATE SCHEMA IF NOT EXISTS h3 AUTHORIZATION geomill_owner;
COMMENT ON SCHEMA h3 IS 'H3 grids and zonal statistics: static SQL, filled by jobs';
GRANT USAGE ON SCHEMA h3 TO geomill_worker, geomill_client, geomill_reader, geomill_admin;
