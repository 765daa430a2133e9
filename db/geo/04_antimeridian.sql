-- geo.wrap_longitude: a geometry in degrees, with all of it between -180 and 180, divided at the antimeridian.
--
-- Two ways lead beyond: longitudes that go on past 180 (170 to 190), and a transformation that tore a geometry apart there
-- (179 to -179, the long way around). The second is put together first; what is as wide then as before is left as it was.
--
-- Guarantees  What cannot be placed within one turn is returned as it came. Raises what PostGIS raises about a shape.
-- Locks       none.
CREATE OR REPLACE FUNCTION geo.wrap_longitude(shape public.geometry)
RETURNS public.geometry
LANGUAGE plpgsql
IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    beyond CONSTANT boolean := public.ST_XMin(shape) < -180 OR public.ST_XMax(shape) > 180;
    mended public.geometry := CASE WHEN beyond THEN shape ELSE public.ST_ShiftLongitude(shape) END;
BEGIN
    -- NaN is more than any number.
    IF public.ST_XMin(shape) < -360 OR public.ST_XMax(shape) > 540 OR (NOT beyond AND public.ST_XMax(mended) - public.ST_XMin(mended) > 180) THEN
        RETURN shape;
    END IF;
    IF NOT public.ST_IsValid(mended) THEN
        -- Put together, the whole world is a line.
        IF NOT beyond AND public.ST_IsValid(shape) THEN
            RETURN shape;
        END IF;
        mended := public.ST_MakeValid(mended);
    END IF;
    mended := public.ST_WrapX(public.ST_WrapX(mended, 180, -360), -180, 360);
    RETURN CASE WHEN public.GeometryType(shape) = 'GEOMETRYCOLLECTION' THEN public.ST_CollectionHomogenize(mended)
                WHEN public.GeometryType(mended) = 'GEOMETRYCOLLECTION' THEN public.ST_CollectionExtract(mended, public.ST_Dimension(shape) + 1)
                ELSE mended END;
END;
$$;
GRANT EXECUTE ON FUNCTION geo.wrap_longitude(public.geometry) TO geomill_worker;

-- geo.has_long_edge: whether an edge spans more than 180 degrees, other than along a pole. On a globe it would go the other way.
--
-- Locks       none.
CREATE OR REPLACE FUNCTION geo.has_long_edge(shape public.geometry)
RETURNS boolean
LANGUAGE sql
IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM public.ST_DumpSegments(shape) AS s
                    WHERE public.ST_XMax(s.geom) - public.ST_XMin(s.geom) > 180
                      AND greatest(abs(public.ST_YMin(s.geom)), abs(public.ST_YMax(s.geom))) < 90 - 1e-6);
$$;
GRANT EXECUTE ON FUNCTION geo.has_long_edge(public.geometry) TO geomill_worker;
