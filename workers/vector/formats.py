"""What a file is, decided from its first bytes. GDAL sees only what was recognised here.

A name may be silent, but it may not lie: a file whose extension says another format is refused.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from workers.errors import TaskError


class Format(StrEnum):
    """The formats that are taken."""

    SHAPEFILE = "shp"
    GEOPACKAGE = "gpkg"
    GEOJSON = "geojson"
    FLATGEOBUF = "fgb"

    @property
    def driver(self) -> str:
        """GDAL's name for it: no other driver may answer."""
        return _DRIVERS[self]

    @property
    def label(self) -> str:
        """What people call it."""
        return _TITLES[self]


_DRIVERS = {
    Format.SHAPEFILE: "ESRI Shapefile",
    Format.GEOPACKAGE: "GPKG",
    Format.GEOJSON: "GeoJSON",
    Format.FLATGEOBUF: "FlatGeobuf",
}
_TITLES = {Format.SHAPEFILE: "shapefile", Format.GEOPACKAGE: "GeoPackage", Format.GEOJSON: "GeoJSON", Format.FLATGEOBUF: "FlatGeobuf"}

EXTENSIONS = {
    ".shp": Format.SHAPEFILE,
    ".gpkg": Format.GEOPACKAGE,
    ".geojson": Format.GEOJSON,
    ".json": Format.GEOJSON,
    ".fgb": Format.FLATGEOBUF,
}

_HEAD = 64 * 1024
_GEOJSON = re.compile(
    rb'"type"\s*:\s*"(FeatureCollection|Feature|(Multi)?Point|(Multi)?LineString|(Multi)?Polygon|GeometryCollection|Topology)"'
)
_GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11")


def recognise(path: Path) -> Format | None:
    """The format of a file by its content; None for one that is not taken."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"SQLite format 3\x00"):
        return Format.GEOPACKAGE if head[68:72] in _GEOPACKAGE_IDS else None
    if head.startswith(b"fgb\x03fgb"):
        return Format.FLATGEOBUF
    if head[:4] == b"\x00\x00\x27\x0a" and head[28:32] == b"\xe8\x03\x00\x00":
        return Format.SHAPEFILE
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        kind = _GEOJSON.search(text)
        return Format.GEOJSON if kind and kind[1] != b"Topology" else None
    return None


def require(path: Path, name: str) -> Format:
    """The format of a file; refused if it is not taken, or not what the file's name says."""
    found, said = recognise(path), EXTENSIONS.get(Path(name).suffix.lower())
    if said is not None and found is not said:
        what = f"it is a {found.label}" if found else "its content is something else"
        raise TaskError(
            "SOURCE_WRONG_FORMAT", f"{name} is not what its name says, a {said.label}: {what}", category="data", field="source_path",
            value=name, remediation="Upload the right file, or give it its right name",
        )  # fmt: skip
    if found is None:
        raise TaskError(
            "FORMAT_NOT_SUPPORTED", f"{name} is in no format that is taken", category="data", field="source_path", value=name,
            remediation=f"Use one of: {', '.join(sorted(_TITLES.values()))}; each may be zipped",
        )  # fmt: skip
    return found


def says_crs(path: Path) -> bool:
    """Whether a GeoJSON file names its CRS (as older ones do); EPSG:4326 is only its default otherwise."""
    with path.open("rb") as file:
        return re.search(rb'"crs"\s*:\s*\{', file.read(_HEAD)) is not None
