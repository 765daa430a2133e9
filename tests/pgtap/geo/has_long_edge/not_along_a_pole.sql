BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(3);
SELECT is(geo.has_long_edge('POLYGON((-179 0,179 0,179 1,-179 1,-179 0))'), true, 'an edge the long way around');
SELECT is(geo.has_long_edge('POLYGON((-179 0,0 0,179 0,179 1,0 1,-179 1,-179 0))'), false, 'two short ones');
SELECT is(geo.has_long_edge('POLYGON((-180 -90,180 -90,180 -80,0 -80,-180 -80,-180 -90))'), false, 'one along a pole');
SELECT * FROM finish();
ROLLBACK;
