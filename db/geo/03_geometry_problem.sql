-- geo.geometry_problem, as workers of the version before call it: for tables in EPSG:4326.
CREATE OR REPLACE FUNCTION geo.geometry_problem(wkb bytea, source_srid integer, source_wkt text, OUT code text, OUT reason text)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT p.code, p.reason INTO code, reason FROM geo.geometry_problem(wkb, source_srid, source_wkt, 4326) AS p;
END;
$$;
GRANT EXECUTE ON FUNCTION geo.geometry_problem(bytea, integer, text) TO geomill_worker;
