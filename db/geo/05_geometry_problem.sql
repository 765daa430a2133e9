-- geo.geometry_problem: why a geometry cannot be ingested, if it cannot: the one place where a bad row is trapped.
--
-- Ingest parses, linearises, transforms and repairs whole batches in one statement, which one bad row makes fail. This takes
-- the same steps for one row, and says which of them raised. Costs a subtransaction a row, so it is asked only then.
--
-- Guarantees  code and reason are NULL for a geometry that passes every step. Raises nothing about the row.
-- Locks       none.
CREATE OR REPLACE FUNCTION geo.geometry_problem(
    wkb bytea, source_srid integer, source_wkt text, target_srid integer, OUT code text, OUT reason text
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shape public.geometry;
    shown text := format(' (it begins with %s)', encode(substring(wkb FROM 1 FOR 60), 'hex'));
BEGIN
    code := 'GEOMETRY_UNREADABLE';
    shape := public.ST_CurveToLine(public.ST_GeomFromWKB(wkb, coalesce(source_srid, 0)));
    shown := format(' (%s)', public.Box2D(shape));
    code := 'GEOMETRY_NOT_TRANSFORMABLE';
    shape := public.ST_Force2D(shape);
    IF source_srid IS NULL THEN
        -- The form with an SRID as its target looks for spatial_ref_sys along the search_path.
        shape := public.ST_Transform(shape, source_wkt, 'EPSG:' || target_srid);
    ELSIF source_srid <> target_srid THEN
        shape := public.ST_Transform(shape, target_srid);
    END IF;
    code := 'GEOMETRY_NOT_REPAIRABLE';
    IF NOT public.ST_IsValid(shape) THEN
        PERFORM public.ST_MakeValid(shape);
    END IF;
    -- A plane's coordinates are beyond what this takes for degrees, and come back as they are.
    PERFORM geo.wrap_longitude(shape);
    code := NULL;
EXCEPTION WHEN OTHERS THEN
    reason := SQLERRM || shown;
END;
$$;
GRANT EXECUTE ON FUNCTION geo.geometry_problem(bytea, integer, text, integer) TO geomill_worker;
