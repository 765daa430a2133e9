"""What the vector tasks are made of: where a layer is, what it holds, how its rows reach a table, how the table is published.

`source` opens what a request names and `formats` says what it is; `reading` finds the module that describes a layer and
reads its rows: `ogr` (GDAL), `features` (GeoJSON), `delimited` (CSV), `geoparquet`. `crs` and `plan` decide, `load` and
`publish` speak SQL. Nothing here knows of tasks or stages; workers/tasks/vector.py does.
"""
