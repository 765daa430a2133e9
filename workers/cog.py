"""Cloud Optimized GeoTIFFs: how one is to be made, making it, and proving that it is one and holds what the source held.

GDAL's COG driver does the work, block by block, so that memory is bounded at any size. Nothing is believed: the result is
read back as a whole, checked by rio-cogeo's strict rules and compared with the source pixel by pixel; its statistics are
those of what was written.
"""

from __future__ import annotations

import math
import uuid
import warnings as python_warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import rasterio.shutil
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.vrt import WarpedVRT
from rio_cogeo.cogeo import cog_validate
from rio_cogeo.utils import get_zooms

from codegen.messages.raster_report import Band, Grid, Kind, Profile, RasterReport
from codegen.messages.request import RasterOptions
from workers import pixels, raster_report, raster_source
from workers.errors import TaskError
from workers.footprint import Footprint
from workers.raster_report import Check

BLOCKSIZE = 512
QUALITY = 85
_SMALL_ERROR = 12.0
"""Mean difference of 8-bit values that a lossy compression of good quality stays below, by far."""

_OVERVIEWS: dict[Kind, str] = {
    "rgb": "average",
    "rgba": "average",
    "multispectral": "average",
    "continuous": "average",
    "dem": "average",
    "categorical": "mode",
    "mask": "nearest",
}
_WARP: dict[Kind, str] = {
    "rgb": "cubic",
    "rgba": "cubic",
    "multispectral": "bilinear",
    "continuous": "bilinear",
    "dem": "bilinear",
    "categorical": "nearest",
    "mask": "nearest",
}
_DISCRETE: tuple[Kind, ...] = ("categorical", "mask")


@dataclass(frozen=True)
class Made:
    """What reading a finished COG back has shown."""

    grid: Grid
    bands: list[Band]
    nodata: float | None
    overviews: list[int]
    largest_error: float | None
    footprint: Footprint
    minzoom: int
    maxzoom: int


def choose(report: RasterReport, options: RasterOptions) -> Profile:
    """How the COG of an examined raster is made: by its kind, and by what was asked for. Refuses what cannot be."""
    kind = report.kind
    count = len(report.bands)
    _possible(report, kind)
    compression = options.compression or "deflate"
    lossy = compression in ("jpeg", "webp")
    if lossy:
        _lossy_is_possible(report, kind, compression)
    target = _target(report, options.target_crs)
    nodata = raster_report.read_nodata(report.nodata)
    alpha: Literal["kept", "added", "mask"] | None = "kept" if report.masked else None
    if lossy and (nodata is not None or (report.masked and compression == "jpeg")):
        # What a lossy compression blurs cannot tell data from none; a mask can.
        alpha, nodata = "mask", None
    elif target is not None and nodata is None and not report.masked:
        nodata = _free_value(report) if count == 1 or not lossy else None
        if nodata is None or kind in ("rgb", "rgba"):
            alpha, nodata = "added", None
    overviews = options.resampling or _OVERVIEWS[kind]
    asked = [
        key for key in ("kind", "compression", "resampling", "target_crs", "nodata", "band_names") if getattr(options, key) is not None
    ]
    return Profile(
        kind=kind,
        kind_reason=report.kind_reason,
        compression=compression,
        predictor=compression in ("deflate", "zstd", "lzw") and kind not in _DISCRETE and not report.palette,
        quality=QUALITY if lossy else None,
        lossless=not lossy,
        blocksize=BLOCKSIZE,
        overview_resampling=overviews,
        warp_resampling=None if target is None else _WARP[kind],
        target_crs=target,
        nodata=raster_report.told_nodata(nodata),
        alpha=alpha,
        asked=asked,
    )


def write(path: Path, name: str, report: RasterReport, options: RasterOptions, profile: Profile, target: Path) -> None:
    """Make the COG at `target`. Cannot be interrupted from within; the caller removes what a failure leaves."""
    with _quietly(), ExitStack() as stack:
        dataset = stack.enter_context(raster_source.opened(path, name))
        _unchanged(dataset, path, name, report)
        prepared = stack.enter_context(_prepared(dataset, report, options, profile))
        try:
            rasterio.shutil.copy(prepared, target, driver="COG", **_creation_options(report, profile))
        except RasterioError as error:
            raise TaskError(
                "COG_NOT_WRITTEN",
                f"The COG of {name} could not be written",
                category="system",
                retryable=True,
                remediation="Look at the messages, and at the free space of the storage",
            ) from error


def verify(path: Path, name: str, report: RasterReport, options: RasterOptions, profile: Profile, made: Path, check: Check) -> Made:
    """Prove that what was made is a valid COG and holds the source's pixels, and report on it; raises where it does not."""
    with _quietly(), ExitStack() as stack:
        _valid(made, name)
        source = stack.enter_context(raster_source.opened(path, name))
        cog = stack.enter_context(rasterio.open(made, driver="GTiff", sharing=False))
        statistics, largest_error = _compare(source, cog, name, report, profile, check)
        if profile.target_crs is None:
            _same_place(source, cog, name)
        if report.palette and _colors_shown(source.colormap(1), cog.nodata) != _colors_shown(cog.colormap(1), cog.nodata):
            raise _unequal(name, "its colour table differs")
        crs = CRS.from_wkt(cog.crs.to_wkt(version="WKT2_2019"))
        if not any(band.valid for band in statistics):
            raise _unequal(name, "it holds no data")
        grid = raster_report.grid_of(cog, crs)
        minzoom, maxzoom = get_zooms(cog)
        return Made(
            grid=grid,
            bands=raster_report.bands_of(cog, statistics, _names(options, report, cog.count)),
            nodata=cog.nodata,
            overviews=[int(factor) for factor in cog.overviews(1)],
            largest_error=largest_error,
            footprint=raster_report.footprint_of(grid, crs, name),
            minzoom=int(minzoom),
            maxzoom=int(maxzoom),
        )


@contextmanager
def _quietly() -> Iterator[None]:
    with python_warnings.catch_warnings(), raster_source.gdal():
        python_warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _possible(report: RasterReport, kind: Kind) -> None:
    needed = {"rgb": 3, "rgba": 4}.get(kind)
    if needed is not None and len(report.bands) != needed:
        raise _not_possible(
            "KIND_NOT_POSSIBLE", "kind", kind, f"{report.source.name} has {len(report.bands)} bands, and {kind} needs {needed}"
        )


def _lossy_is_possible(report: RasterReport, kind: Kind, compression: str) -> None:
    name, dtype = report.source.name, report.bands[0].data_type
    if dtype != "uint8":
        raise _not_possible(
            "COMPRESSION_NOT_POSSIBLE", "compression", compression, f"{compression} compresses 8-bit values, and {name} has {dtype}"
        )
    if report.palette or kind in _DISCRETE:
        raise _not_possible(
            "COMPRESSION_NOT_POSSIBLE", "compression", compression, f"{compression} would change the values of {name}, which are {kind}"
        )
    allowed = (3, 4) if compression == "webp" else (1, 3, 4)
    if len(report.bands) not in allowed or (len(report.bands) == 4 and kind != "rgba"):
        raise _not_possible(
            "COMPRESSION_NOT_POSSIBLE",
            "compression",
            compression,
            f"{compression} compresses colours, and {name} has {len(report.bands)} bands of kind {kind}",
        )


def _target(report: RasterReport, requested: str | None) -> str | None:
    """The CRS to reproject to; None where the source is in it."""
    if requested is None:
        return None
    try:
        wanted = CRS.from_user_input(requested)
    except CRSError as error:
        raise _not_possible(
            "CRS_UNKNOWN", "target_crs", requested, f"{requested} is no coordinate reference system that PROJ knows"
        ) from error
    if not (wanted.is_geographic or wanted.is_projected):
        raise _not_possible("CRS_NOT_SUPPORTED", "target_crs", requested, f"{requested} ({wanted.name}) is no plane or geographic system")
    return None if CRS.from_wkt(report.grid.crs_wkt).equals(wanted, ignore_axis_order=True) else requested


def _free_value(report: RasterReport) -> float | None:
    """A value that no pixel has, for what reprojecting leaves empty; None where there may be none."""
    dtype = np.dtype(report.bands[0].data_type)
    if dtype.kind == "f":
        return math.nan
    limits = np.iinfo(dtype)
    lows = [band.minimum for band in report.bands if band.minimum is not None]
    highs = [band.maximum for band in report.bands if band.maximum is not None]
    if limits.min < 0 and min(lows) > limits.min:
        return float(limits.min)
    if max(highs) < limits.max:
        return float(limits.max)
    return float(limits.min) if min(lows) > limits.min else None


def _creation_options(report: RasterReport, profile: Profile) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "compress": profile.compression.upper(),
        "predictor": "YES" if profile.predictor else "NO",
        "blocksize": profile.blocksize,
        "bigtiff": "IF_SAFER",
        # A source's own overviews may be anything; ours are computed as the profile says. Where the driver computes none,
        # it would take the source's in spite of being told to ignore them.
        "overviews": "IGNORE_EXISTING" if profile.target_crs or max(report.grid.width, report.grid.height) > profile.blocksize else "NONE",
        "overview_resampling": profile.overview_resampling.upper(),
        "num_threads": "ALL_CPUS",
    }
    if profile.quality is not None:
        chosen["quality"] = profile.quality
    if profile.compression == "lerc":
        chosen["max_z_error"] = 0
    if profile.target_crs is not None and profile.warp_resampling is not None:
        chosen |= {
            "target_srs": profile.target_crs,
            "warp_resampling": profile.warp_resampling.upper(),
            "add_alpha": "YES" if profile.alpha == "added" else "NO",
        }
    return chosen


@contextmanager
def _prepared(dataset: Any, report: RasterReport, options: RasterOptions, profile: Profile) -> Iterator[Any]:
    """The source with what the request or the report adds to it: CRS, nodata, names, colours; a mask for lossy compression."""
    with ExitStack() as stack:
        prepared = dataset
        nodata = raster_report.read_nodata(profile.nodata)
        colored = _colors(report, dataset)
        differs = nodata is not None and (
            dataset.nodata is None or (dataset.nodata != nodata and not (math.isnan(dataset.nodata) and math.isnan(nodata)))
        )
        if report.crs_source == "request" or differs or options.band_names or colored:
            prepared = stack.enter_context(_edited(dataset, report, nodata if differs else None, options.band_names, colored))
        if profile.alpha == "mask" and not report.masked:
            # The same pixels on the same grid, with nodata as an alpha band; the COG driver makes a mask of it.
            prepared = stack.enter_context(WarpedVRT(prepared, add_alpha=True))
        yield prepared


@contextmanager
def _edited(
    dataset: Any, report: RasterReport, nodata: float | None, names: list[str] | None, colors: list[ColorInterp] | None
) -> Iterator[Any]:
    """A VRT in memory over the source, with another header."""
    vrt = f"/vsimem/{uuid.uuid4().hex}.vrt"
    rasterio.shutil.copy(dataset, vrt, driver="VRT")
    try:
        with rasterio.open(vrt, "r+", driver="VRT", sharing=False) as header:
            if report.crs_source == "request":
                header.crs = rasterio.CRS.from_wkt(report.grid.crs_wkt)
            if nodata is not None:
                header.nodata = nodata
            for index, name in enumerate(names or (), start=1):
                header.set_band_description(index, name)
            if colors:
                header.colorinterp = colors
        with rasterio.open(vrt, driver="VRT", sharing=False) as edited:
            yield edited
    finally:
        rasterio.shutil.delete(vrt, driver="VRT")


def _colors(report: RasterReport, dataset: Any) -> list[ColorInterp] | None:
    """The colours that a kind which the request named implies, where the file does not have them."""
    wanted = {
        "rgb": [ColorInterp.red, ColorInterp.green, ColorInterp.blue],
        "rgba": [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha],
    }.get(report.kind)
    return wanted if wanted is not None and set(wanted) != set(dataset.colorinterp) else None


def _unchanged(dataset: Any, path: Path, name: str, report: RasterReport) -> None:
    """Refuse a source that is not the one that was examined. Its pixels are compared later anyway."""
    grid = report.grid
    if (dataset.width, dataset.height, dataset.count, path.stat().st_size) != (
        grid.width,
        grid.height,
        len(report.bands),
        report.source.size,
    ):
        raise TaskError(
            "SOURCE_CHANGED",
            f"{name} has changed since it was validated",
            category="user",
            field="source_path",
            remediation="Submit the request again, and leave the file alone until it has ended",
        )


def _valid(made: Path, name: str) -> None:
    is_valid, errors, doubts = cog_validate(made, strict=True, quiet=True)
    if not is_valid:
        raise TaskError(
            "COG_NOT_VALID",
            f"What was made of {name} is no valid COG: {'; '.join([*errors, *doubts])}",
            category="system",
            remediation="Report it, with the file",
        )


def _compare(
    source: Any, cog: Any, name: str, report: RasterReport, profile: Profile, check: Check
) -> tuple[list[pixels.Statistics], float | None]:
    """Read the COG as a whole, beside the source where they have the same grid; returns statistics and the largest difference."""
    comparable = profile.target_crs is None
    statistics = [pixels.Statistics(dtype) for dtype in cog.dtypes]
    validity = pixels.Validity(cog, cog.nodata)
    bands = list(range(1, min(cog.count, source.count) + 1))
    largest, total, compared = 0.0, 0.0, 0
    try:
        for window in pixels.windows(cog):
            check()
            written = cog.read(window=window)
            masks = list(validity.of(window, written))
            for band, mask, found in zip(written, masks, statistics, strict=True):
                found.add(band, mask)
            if not comparable:
                continue
            given = source.read(bands, window=window)
            if profile.lossless:
                same_mask = not report.masked or np.array_equal(source.read_masks(1, window=window), cog.read_masks(1, window=window))
                if not same_mask or not pixels.same(given, written[: len(bands)]):
                    raise _unequal(name, f"pixels differ in rows {window.row_off} to {window.row_off + window.height - 1}")
                continue
            for before, after, mask in zip(given, written, masks, strict=False):
                difference = np.abs(before.astype(np.int16) - after.astype(np.int16))
                difference = difference if mask is None else difference[mask]
                if difference.size:
                    largest, total, compared = (
                        max(largest, float(difference.max())),
                        total + float(difference.sum()),
                        compared + difference.size,
                    )
    except RasterioError as error:
        raise _unequal(name, "it does not read") from error
    if compared and total / compared > _SMALL_ERROR:
        raise _unequal(name, f"pixels differ by {total / compared:.1f} on average")
    return statistics, largest if comparable else None


def _colors_shown(palette: dict[int, tuple[int, int, int, int]], nodata: float | None) -> dict[int, tuple[int, int, int, int]]:
    """A colour table without the entry for no data, which reprojecting makes transparent."""
    return {value: color for value, color in palette.items() if value != nodata}


def _same_place(source: Any, cog: Any, name: str) -> None:
    if (source.width, source.height) != (cog.width, cog.height) or not source.transform.almost_equals(
        cog.transform, precision=_tolerance(source)
    ):
        raise _unequal(name, "its georeference differs")


def _tolerance(dataset: Any) -> float:
    """A thousandth of a pixel over the whole width."""
    pixel = min(abs(float(dataset.transform.a)), abs(float(dataset.transform.e)))
    return pixel / max(int(dataset.width), int(dataset.height)) / 1000


def _names(options: RasterOptions, report: RasterReport, count: int) -> list[str]:
    names = list(options.band_names or [band.name for band in report.bands])[:count]
    return names + ["alpha"] * (count - len(names))


def _unequal(name: str, how: str) -> TaskError:
    return TaskError(
        "COG_NOT_EQUAL",
        f"What was made of {name} is not what it should be: {how}",
        category="system",
        retryable=True,
        remediation="Leave the source alone while it is converted; if it was, report it with the file",
    )


def _not_possible(code: str, field: str, value: Any, message: str) -> TaskError:
    return TaskError(code, message, category="user", field=field, value=value, remediation=f"Choose another {field}, or leave it out")
