"""GDAL as strangers' files may meet it: only drivers that read nothing but the file itself, and no network.

A VRT, a service description or a database URL is never opened by accident, whatever a file's first bytes are made to look
like, because no driver for it is left. pyogrio's library is its own: rasterio's is set up where rasters are opened.
"""

from __future__ import annotations

import pyogrio

DRIVERS = (
    "ESRI Shapefile", "GPKG", "FlatGeobuf", "OpenFileGDB", "LIBKML", "GML", "GPX", "TopoJSON", "ESRIJSON", "MapInfo File", "DXF", "SQLite",
)  # fmt: skip
BATCH_BYTES = 40 * 1024 * 1024
"""More than the largest geometry that is taken."""

_OPTIONS = {
    # A batch ends at so many bytes, however many rows were asked for.
    "OGR_ARROW_MEM_LIMIT": BATCH_BYTES,
    # FlatGeobuf's own way to make a batch ends the layer there.
    "OGR_FLATGEOBUF_STREAM_BASE_IMPL": "YES",
    # References out of a GML or KML file are left as they are.
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "LIBKML_RESOLVE_STYLE": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    # A table of an SQLite file may not stand for another file, nor load a library.
    "OGR_SQLITE_STATIC_VIRTUAL_OGR": "NO",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
}


def restrict() -> None:
    """Take every other driver out of this process."""
    others = set(pyogrio.list_drivers()) - set(DRIVERS)
    pyogrio.set_gdal_config_options({**_OPTIONS, "OGR_SKIP": ",".join(sorted(others))})
    # Registering again is when GDAL looks at what to skip; pyogrio does it on import, before anybody can say so.
    pyogrio.core._register_drivers()
