"""What a file is, decided from its first bytes. GDAL sees only what was recognised here.

A name may be silent, but it may not lie: a file whose extension says another format is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from workers.errors import TaskError
from workers.vector import dialect, markup


class Format(StrEnum):
    """The formats that are taken."""

    SHAPEFILE = "shp"
    GEOPACKAGE = "gpkg"
    GEOJSON = "geojson"
    GEOJSON_LINES = "geojsonl"
    TOPOJSON = "topojson"
    ESRI_JSON = "esrijson"
    FLATGEOBUF = "fgb"
    FILE_GEODATABASE = "gdb"
    CSV = "csv"
    KML = "kml"
    GML = "gml"
    GPX = "gpx"
    PARQUET = "parquet"
    MAPINFO_TAB = "tab"
    MAPINFO_MIF = "mif"
    DXF = "dxf"
    SPATIALITE = "sqlite"

    @property
    def driver(self) -> str | None:
        """GDAL's name for it, and no other driver may answer; None where GDAL is not asked."""
        return _TRAITS[self].driver

    @property
    def label(self) -> str:
        """What people call it."""
        return _TRAITS[self].label

    @property
    def extensions(self) -> tuple[str, ...]:
        """What its files' names end in."""
        return _TRAITS[self].extensions


@dataclass(frozen=True)
class _Traits:
    label: str
    driver: str | None
    extensions: tuple[str, ...]


_TRAITS = {
    Format.SHAPEFILE: _Traits("shapefile", "ESRI Shapefile", (".shp",)),
    Format.GEOPACKAGE: _Traits("GeoPackage", "GPKG", (".gpkg",)),
    Format.GEOJSON: _Traits("GeoJSON", None, (".geojson", ".json")),
    Format.GEOJSON_LINES: _Traits("GeoJSON in lines", None, (".geojsonl", ".geojsons", ".ndjson", ".jsonl", ".geojsonseq")),
    Format.TOPOJSON: _Traits("TopoJSON", "TopoJSON", (".topojson",)),
    Format.ESRI_JSON: _Traits("Esri JSON", "ESRIJSON", (".esrijson",)),
    Format.FLATGEOBUF: _Traits("FlatGeobuf", "FlatGeobuf", (".fgb",)),
    Format.FILE_GEODATABASE: _Traits("File Geodatabase", "OpenFileGDB", (".gdb",)),
    Format.CSV: _Traits("CSV", None, (".csv", ".tsv", ".psv")),
    Format.KML: _Traits("KML", "LIBKML", (".kml",)),
    Format.GML: _Traits("GML", "GML", (".gml",)),
    Format.GPX: _Traits("GPX", "GPX", (".gpx",)),
    Format.PARQUET: _Traits("GeoParquet", None, (".parquet", ".geoparquet")),
    Format.MAPINFO_TAB: _Traits("MapInfo TAB", "MapInfo File", (".tab",)),
    Format.MAPINFO_MIF: _Traits("MapInfo MIF", "MapInfo File", (".mif",)),
    Format.DXF: _Traits("DXF", "DXF", (".dxf",)),
    Format.SPATIALITE: _Traits("SpatiaLite", "SQLite", (".sqlite",)),
}

EXTENSIONS = {extension: kind for kind, traits in _TRAITS.items() for extension in traits.extensions}

_JSON = frozenset({Format.GEOJSON, Format.GEOJSON_LINES, Format.TOPOJSON, Format.ESRI_JSON})
"""Written with each other's extensions so often that it is no lie."""
_HEAD = 64 * 1024
_GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11")
_GEOJSON = re.compile(rb'"type"\s*:\s*"(FeatureCollection|Feature|(Multi)?Point|(Multi)?LineString|(Multi)?Polygon|GeometryCollection)"')
_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')
_ESRI = re.compile(rb'"(geometryType"\s*:\s*"esriGeometry|spatialReference"\s*:\s*\{|fieldAliases"\s*:\s*\{)')
_LINES = re.compile(rb"\s*\x1e|\s*\{[^\n]*\}\s*\n\s*[\x1e{]")
_MIF = re.compile(rb"version\s+[0-9]+\s*\r?\n\s*charset\s", re.IGNORECASE)
_TAB = re.compile(rb"!table\r?\n!version\s+[0-9]+", re.IGNORECASE)
_OTHER_TABLES = re.compile(rb"isseamless|create\s+view|open\s+table", re.IGNORECASE)
"""In a TAB file: it is made of others, anywhere on the disk."""
_DXF = re.compile(rb"(\s*999\r?\n[^\n]*\n)*\s*0\r?\n\s*SECTION\r?\n\s*2\r?\n")


def recognise(path: Path) -> Format | None:
    """The format of a file, or of a folder that is one dataset, by its content; None for one that is not taken."""
    if path.is_dir():
        return Format.FILE_GEODATABASE if (path / "a00000001.gdbtable").is_file() else None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"SQLite format 3\x00"):
        return Format.GEOPACKAGE if head[68:72] in _GEOPACKAGE_IDS else Format.SPATIALITE
    if head.startswith(b"fgb\x03fgb"):
        return Format.FLATGEOBUF
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    if head[:4] == b"\x00\x00\x27\x0a" and head[28:32] == b"\xe8\x03\x00\x00":
        return Format.SHAPEFILE
    return _text(head, whole=len(head) < _HEAD)


def _text(head: bytes, *, whole: bool) -> Format | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"{", b"\x1e")):
        return _json(text)
    if text.startswith(b"<"):
        root = markup.root(head)
        return None if root is None else {"kml": Format.KML, "gpx": Format.GPX, "gml": Format.GML}[root]
    if _TAB.match(text) and (not whole or _OTHER_TABLES.search(text)):
        return None
    for pattern, kind in ((_TAB, Format.MAPINFO_TAB), (_MIF, Format.MAPINFO_MIF), (_DXF, Format.DXF)):
        if pattern.match(text):
            return kind
    return Format.CSV if dialect.looks_like_it(head, whole=whole) else None


def _json(text: bytes) -> Format | None:
    if _LINES.match(text):
        return Format.GEOJSON_LINES if _GEOJSON.search(text) else None
    if _TOPOLOGY.search(text):
        return Format.TOPOJSON
    if _GEOJSON.search(text):
        return Format.GEOJSON
    return Format.ESRI_JSON if _ESRI.search(text) else None


def require(path: Path, name: str) -> Format:
    """The format of a file; refused if it is not taken, or not what the file's name says."""
    found, said = recognise(path), EXTENSIONS.get(Path(name).suffix.lower())
    if said is not None and found is not said and not {found, said} <= _JSON:
        what = f"it is a {found.label}" if found else "its content is something else"
        raise TaskError(
            "SOURCE_WRONG_FORMAT", f"{name} is not what its name says, a {said.label}: {what}", category="data", field="source_path",
            value=name, remediation="Upload the right file, or give it its right name",
        )  # fmt: skip
    if found is None:
        raise TaskError(
            "FORMAT_NOT_SUPPORTED", f"{name} is in no format that is taken", category="data", field="source_path", value=name,
            remediation=f"Use one of: {', '.join(sorted(kind.label for kind in Format))}; each may be zipped",
        )  # fmt: skip
    return found
