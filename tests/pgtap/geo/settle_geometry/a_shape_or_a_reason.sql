BEGIN;
SET LOCAL client_min_messages = error;
SELECT plan(14);
CREATE FUNCTION pg_temp.settled(shape text, base text DEFAULT 'MULTIPOLYGON', may_cross boolean DEFAULT false, in_degrees boolean DEFAULT true)
RETURNS geo.settled_geometry LANGUAGE sql AS $$ SELECT geo.settle_geometry(shape::geometry, base, in_degrees, may_cross) $$;
SELECT is(ST_AsText((pg_temp.settled('POLYGON((0 0,0 1,1 1,0 0))')).shape), 'MULTIPOLYGON(((0 0,1 1,0 1,0 0)))', 'one becomes a multi of one, wound against the clock');
SELECT is(ST_AsText((pg_temp.settled('MULTIPOINT(1 2)', 'POINT')).shape), 'POINT(1 2)', 'a multi of one becomes the one');
SELECT is((pg_temp.settled('MULTIPOINT(1 2,3 4)', 'POINT')).code, 'GEOMETRY_TYPE_MISMATCH', 'and of two does not');
SELECT is(GeometryType((pg_temp.settled('GEOMETRYCOLLECTION(POINT(1 2))', 'MULTIPOINT')).shape), 'MULTIPOINT', 'a collection of one kind is a multi of it');
SELECT is(GeometryType((pg_temp.settled('GEOMETRYCOLLECTION(POINT(1 2))', 'GEOMETRY')).shape), 'GEOMETRYCOLLECTION', 'unless the column takes all');
SELECT ok((pg_temp.settled('POLYGON((0 0,1 1,1 0,0 1,0 0))')).repaired, 'a bow-tie is repaired');
SELECT is((pg_temp.settled('POLYGON((0 0,1 1,0 0,0 0))')).code, 'GEOMETRY_NOT_REPAIRABLE', 'what is only a line is no polygon');
SELECT is((pg_temp.settled('POINT(5 91)', 'POINT')).code, 'GEOMETRY_OUT_OF_RANGE', 'no latitude is beyond the pole');
SELECT is((pg_temp.settled('POINT(5 91)', 'POINT', false, false)).code, NULL, 'but metres are');
SELECT ok((pg_temp.settled('POLYGON((170 0,190 0,190 1,170 1,170 0))')).wrapped, 'what goes beyond the antimeridian is divided');
SELECT ok((pg_temp.settled('POLYGON((-179 0,179 0,179 1,-179 1,-179 0))')).long_edge, 'an edge the long way around is said');
SELECT is(ST_XMin((pg_temp.settled('POLYGON((-179 0,179 0,179 1,-179 1,-179 0))', 'MULTIPOLYGON', true)).shape), -180::double precision, 'and put together where the CRS may have torn it');
SELECT is((SELECT row(s.missing, s.code, s.shape)::text FROM pg_temp.settled('POLYGON EMPTY') AS s), '(t,,)', 'nothing is no reject');
SELECT matches((pg_temp.settled('GEOMETRYCOLLECTION Z(POLYGON Z((0 0 5,1 1 5,1 0 5,0 1 5,0 0 5)),POINT Z EMPTY)', 'GEOMETRY')).reason, 'mixed dimension.*BOX',
    'what PostGIS raises is the reason, and where');
SELECT * FROM finish();
ROLLBACK;
