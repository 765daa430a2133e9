-- geo.settled_geometry: what becomes of a geometry that cannot go into a table just as it came.
DO $$
BEGIN
    IF to_regtype('geo.settled_geometry') IS NULL THEN
        CREATE TYPE geo.settled_geometry AS (
            shape public.geometry, code text, reason text, repaired boolean, missing boolean, wrapped boolean, long_edge boolean
        );
    END IF;
END;
$$;

-- geo.settle_geometry: divided at the antimeridian, repaired and of the type that the column has, or the reason why not.
--
-- base is the column's type without dimensions. Ingest asks only about geometries that are not plain: of that type, valid and
-- within its table's bounds.
--
-- Guarantees  A code, or a shape, or neither where there is no geometry (missing). Outer rings run against the clock.
--             What PostGIS raises about a shape is the reason why it cannot be used; want of memory or disk is raised on.
-- Locks       none.
CREATE OR REPLACE FUNCTION geo.settle_geometry(placed public.geometry, base text, in_degrees boolean, may_cross boolean)
RETURNS geo.settled_geometry
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- About a centimetre: coordinates that were rounded on their way lie this far out.
    tolerance CONSTANT double precision := double precision '1e-7';
    shape public.geometry := placed;
    -- A box is worth keeping: each function that asks for one side of a geometry looks at all of it.
    box public.box3d := public.Box3D(placed);
    west CONSTANT double precision := public.ST_XMin(box);
    fixed public.geometry;
    turned boolean;
    inside boolean;
    settled geo.settled_geometry;
BEGIN
    settled.repaired := false;
    settled.missing := false;
    turned := in_degrees AND coalesce(NOT (west >= -180 - tolerance AND public.ST_XMax(box) <= 180 + tolerance)
                                      OR (may_cross AND public.ST_XMax(box) - west > 180), false);
    IF turned THEN
        shape := geo.wrap_longitude(placed);
        box := public.Box3D(shape);
    END IF;
    settled.wrapped := turned AND (public.ST_XMin(box) <> west OR public.ST_NPoints(shape) <> public.ST_NPoints(placed));
    IF shape IS NULL OR public.ST_IsEmpty(shape) THEN
        settled.missing := true;
        RETURN settled;
    END IF;
    -- NaN is more than infinity.
    inside := CASE WHEN in_degrees
                   THEN public.ST_XMin(box) >= -180 - tolerance AND public.ST_XMax(box) <= 180 + tolerance
                        AND public.ST_YMin(box) >= -90 - tolerance AND public.ST_YMax(box) <= 90 + tolerance
                   ELSE public.ST_XMin(box) > '-infinity' AND public.ST_XMax(box) < 'infinity'
                        AND public.ST_YMin(box) > '-infinity' AND public.ST_YMax(box) < 'infinity' END;
    IF NOT inside THEN
        settled.code := 'GEOMETRY_OUT_OF_RANGE';
        settled.reason := format('it spans longitude %s to %s and latitude %s to %s',
            public.ST_XMin(shape), public.ST_XMax(shape), public.ST_YMin(shape), public.ST_YMax(shape));
        RETURN settled;
    END IF;
    settled.repaired := NOT public.ST_IsValid(shape);
    IF NOT settled.repaired THEN
        fixed := CASE WHEN base <> 'GEOMETRY' AND public.GeometryType(shape) = 'GEOMETRYCOLLECTION'
                      THEN public.ST_CollectionHomogenize(shape) ELSE shape END;
    -- Making it valid would leave out the position, and guess at the shape.
    ELSIF public.ST_IsValidReason(shape) NOT LIKE 'Invalid Coordinate%' THEN
        fixed := public.ST_MakeValid(shape);
        fixed := CASE WHEN public.GeometryType(shape) = 'GEOMETRYCOLLECTION' THEN public.ST_CollectionHomogenize(fixed)
                      ELSE public.ST_CollectionExtract(fixed, public.ST_Dimension(shape) + 1) END;
    END IF;
    IF fixed IS NULL OR public.ST_IsEmpty(fixed) THEN
        settled.code := 'GEOMETRY_NOT_REPAIRABLE';
        settled.reason := format('it is invalid, and nothing is left once it is repaired: %s (%s)',
            public.ST_IsValidReason(shape), public.Box2D(shape));
        RETURN settled;
    END IF;
    settled.shape := CASE WHEN base LIKE 'MULTI%' THEN public.ST_Multi(fixed)
                          WHEN base <> 'GEOMETRY' AND public.ST_NumGeometries(fixed) = 1 THEN public.ST_GeometryN(fixed, 1)
                          ELSE fixed END;
    IF base <> 'GEOMETRY' AND public.GeometryType(settled.shape) <> base THEN
        settled.code := 'GEOMETRY_TYPE_MISMATCH';
        settled.reason := format('it is a %s, and the table holds %s (%s)', public.GeometryType(fixed), base, public.Box2D(shape));
        settled.shape := NULL;
        RETURN settled;
    END IF;
    IF NOT public.ST_IsPolygonCCW(settled.shape) THEN
        settled.shape := public.ST_ForcePolygonCCW(settled.shape);
    END IF;
    settled.long_edge := in_degrees AND public.ST_XMax(box) - public.ST_XMin(box) > 180 AND geo.has_long_edge(shape);
    RETURN settled;
EXCEPTION WHEN OTHERS THEN
    -- What the server lacks is no reason to leave a row out.
    IF SQLSTATE LIKE ANY ('{53%,58%}') THEN
        RAISE;
    END IF;
    settled := NULL;
    settled.code := 'GEOMETRY_NOT_REPAIRABLE';
    settled.reason := format('%s (%s)', SQLERRM, public.Box2D(placed));
    RETURN settled;
END;
$$;
GRANT EXECUTE ON FUNCTION geo.settle_geometry(public.geometry, text, boolean, boolean) TO geomill_worker;
