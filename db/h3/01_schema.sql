-- h3: hexagonal grids, made once and rarely changed. Cells are H3 indexes as bigint; their arithmetic is SQL's.
CREATE SCHEMA IF NOT EXISTS h3 AUTHORIZATION geomill_owner;
COMMENT ON SCHEMA h3 IS 'H3 grids: reference data from static SQL and bootstrap jobs';
GRANT USAGE ON SCHEMA h3 TO geomill_worker, geomill_reader, geomill_admin;
