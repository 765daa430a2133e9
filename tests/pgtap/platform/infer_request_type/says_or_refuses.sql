BEGIN;
SELECT plan(4);
SELECT results_eq($$SELECT n.name, (platform.infer_request_type(n.name)).request_type::text FROM unnest(ARRAY['/a.gpkg', '/a.GeoJSON', '/a.json', '/a.shp', '/a.fgb', '/a.kml', '/a.kmz', '/a.gml', '/a.csv', '/a.gdb', '/a.parquet', '/a.topojson', '/a.ndjson']) AS n (name)$$,
                  $$SELECT n.name, 'vector' FROM unnest(ARRAY['/a.gpkg', '/a.GeoJSON', '/a.json', '/a.shp', '/a.fgb', '/a.kml', '/a.kmz', '/a.gml', '/a.csv', '/a.gdb', '/a.parquet', '/a.topojson', '/a.ndjson']) AS n (name)$$, 'vector files');
SELECT is((SELECT array_agg((platform.infer_request_type(n.name)).request_type::text) FROM unnest(ARRAY['/a.tif', '/a.TIFF', '/a.b/c.jp2']) AS n (name)), '{raster,raster,raster}', 'rasters');
SELECT is((platform.infer_request_type(' ["/a.tif"]')).request_type::text, 'collection', 'a list');
SELECT is((SELECT array_agg((platform.infer_request_type(n.name)).problem ->> 'code') FROM unnest(ARRAY['/a.zip', '/a/', '/a.vrt', '/a', '/a.xyz', '/a.tif/b']) AS n (name)),
          '{REQUEST_TYPE_AMBIGUOUS,REQUEST_TYPE_AMBIGUOUS,REQUEST_TYPE_UNKNOWN,REQUEST_TYPE_UNKNOWN,REQUEST_TYPE_UNKNOWN,REQUEST_TYPE_UNKNOWN}', 'and what is never guessed');
SELECT * FROM finish();
ROLLBACK;
