"""Opening a raster that a stranger named.

The content decides what a file is, not its name; its first bytes choose the one driver that may open it, and only
drivers that read nothing but the file itself are among them, so that no VRT, catalogue or service description can lead
GDAL anywhere else. Sidecars (world files, .aux.xml, .msk) count, unless
one of them is a link or not what it should be.
"""

from __future__ import annotations

import os
import time
import warnings as python_warnings
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from workers import kept_memory
from workers.errors import TaskError
from workers.storage import Source

EXTENSIONS = (".tif", ".tiff", ".gtiff", ".geotiff", ".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".asc")
_READABLE = "GeoTIFF, PNG, JPEG, JPEG 2000 and Esri ASCII grid"

_DRIVERS = {
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00+": "GTiff",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"\x00\x00\x00\x0cjP": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"ncols": "AAIGrid",
    b"NCOLS": "AAIGrid",
}
_REFUSED_SIGNATURES = {
    b"<VRTDataset": "a VRT, which may point anywhere",
    b"\x89HDF": "HDF5 or netCDF-4",
    b"CDF\x01": "netCDF",
    b"CDF\x02": "netCDF",
    b"EHFA_HEADER_TAG": "Erdas Imagine",
    b"GRIB": "GRIB",
    b"SQLite format 3": "GeoPackage or another SQLite file",
    b"PK\x03\x04": "a zip archive inside the archive",
    b"%PDF": "PDF",
}

CACHE_BYTES = 256 * 1024**2
"""GDAL's block cache: its default is a share of the machine's memory, which several workers would each take. In bytes, always: where
GDAL itself takes a small number for megabytes, rasterio does not."""


_SETTINGS: dict[str, Any] = {
    "GDAL_CACHEMAX": CACHE_BYTES,
    "GDAL_NUM_THREADS": "ALL_CPUS",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    "GDAL_PAM_ENABLED": True,
    # What may lie beside a file is looked for by its name: a folder of a collection may hold many thousands.
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{noext}",
    "PROJ_NETWORK": "OFF",
}
_TICK_NANOSECONDS = 2_000_000_000
"""A folder may change twice at what is one time to its file system."""
_ALONE: dict[str, Any] = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}


@dataclass(frozen=True)
class Raster:
    """An open raster: where it lies, what its client calls it, and GDAL's dataset. One opening serves a whole task."""

    path: Path
    name: str
    dataset: Any

    def state(self) -> tuple[int, ...]:
        """What is another once somebody has written to the file, or put another in its place: cheaper than to read it again."""
        told = self.path.stat()
        return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns


def find(source: Source, source_path: str) -> Path:
    """The raster of a source: the file itself, or the only raster of a zip."""
    if source.archive is None:
        return source.path
    rasters = [path for path in source.extract() if path.suffix.lower() in EXTENSIONS]
    if len(rasters) == 1:
        return rasters[0]
    what = "no raster" if not rasters else f"{len(rasters)} rasters: {', '.join(sorted(path.name for path in rasters)[:5])}"
    raise TaskError(
        "SOURCE_AMBIGUOUS",
        f"{source.name} holds {what}",
        category="data",
        field="source_path",
        value=source_path,
        remediation="Zip one raster, or name several in a collection request",
    )


@contextmanager
def opened(path: Path, name: str) -> Iterator[Raster]:
    """The raster at a path, open for reading. Anything else is refused, saying what the file is instead.

    Within, GDAL is as every raster task wants it: bounded memory, no network, damage reported as an error.
    """
    with python_warnings.catch_warnings(), kept_memory.kept(), rasterio.Env(**_SETTINGS):
        python_warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with _opened(path, name) as dataset:
            yield Raster(path, name, dataset)


def _opened(path: Path, name: str) -> Any:
    driver = _signature(path, _DRIVERS)
    if driver is None:
        raise _not_a_raster(path, name)
    try:
        if _has_harmless_sidecars(path):
            return rasterio.open(path, driver=driver, sharing=False)
        with rasterio.Env(**_ALONE):
            return rasterio.open(path, driver=driver, sharing=False)
    except RasterioError as error:
        raise corrupt(name, error) from error


def _has_harmless_sidecars(path: Path) -> bool:
    """Whether something lies beside a raster under its name, and may be read with it."""
    try:
        names = _names_in(path.parent)
    except OSError:
        return False
    # A slash is what follows a dot.
    first, last = bisect_left(names, f"{path.stem}."), bisect_left(names, f"{path.stem}/")
    beside = [path.with_name(name) for name in names[first:last] if name != path.name]
    return bool(beside) and all(map(_is_harmless, beside))


def _is_harmless(beside: Path) -> bool:
    return not beside.is_symlink() and (beside.suffix.lower() not in (".ovr", ".msk") or _signature(beside, _DRIVERS) == "GTiff")


def _names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted. That of a collection is listed once, not once for each of its thousands."""
    changed = folder.stat().st_mtime_ns
    settled = time.time_ns() - changed > _TICK_NANOSECONDS
    return _listed(folder, changed) if settled else _listed.__wrapped__(folder, changed)


@lru_cache(maxsize=2)
def _listed(folder: Path, _changed: int) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208 (names are all that is wanted)


def corrupt(name: str, error: Exception) -> TaskError:
    """The refusal of a raster whose pixels do not read."""
    return TaskError(
        "SOURCE_CORRUPT",
        f"{name} is damaged or incomplete: {_first_line(error)}",
        category="data",
        field="source_path",
        remediation="Upload the file again; if it is damaged at its origin, make it anew",
    )


def changed(name: str) -> TaskError:
    """The refusal of a raster that is not the one that was read before."""
    return TaskError(
        "SOURCE_CHANGED",
        f"{name} has changed since it was validated",
        category="user",
        field="source_path",
        remediation="Submit the request again, and leave the file alone until it has ended",
    )


def _not_a_raster(path: Path, name: str) -> TaskError:
    if refused := _signature(path, _REFUSED_SIGNATURES):
        return TaskError(
            "SOURCE_FORMAT_NOT_ALLOWED",
            f"{name} is {refused}",
            category="data",
            field="source_path",
            remediation=f"Convert it to GeoTIFF; read are {_READABLE}",
        )
    return TaskError(
        "SOURCE_NOT_A_RASTER",
        f"{name} is no raster that can be read, whatever its name says",
        category="data",
        field="source_path",
        remediation=f"Read are {_READABLE}",
    )


def _signature(path: Path, signatures: dict[bytes, str]) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return None
    return next((what for start, what in signatures.items() if head.startswith(start)), None)


def _first_line(error: BaseException) -> str:
    """GDAL's own words, without the path of the machine that rasterio puts before them."""
    cause = error.__cause__ or error
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    words = [word.rsplit("/", 1)[-1] if word.lstrip("'\"").startswith("/") else word for word in text.split(" ")]
    return " ".join(words)
