"""Cloud Optimized GeoTIFFs: making one, and proving that it is one and holds what the source held.

GDAL's COG driver does the work, block by block, so that memory is bounded at any size. Nothing is believed: the result is
read back as a whole, checked by rio-cogeo's strict rules and compared with the source pixel by pixel; its statistics are
those of what was written.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rio_cogeo.cogeo import cog_validate
from rio_cogeo.utils import get_zooms

from codegen.messages.raster_report import Band, Class, Grid, Profile, RasterReport
from codegen.messages.request import RasterOptions
from workers import pixels, raster_classes, raster_crs, raster_report, raster_source
from workers.errors import TaskError
from workers.footprint import Footprint
from workers.raster_report import Check
from workers.raster_source import Raster


@dataclass(frozen=True)
class Made:
    """What reading a finished COG back has shown."""

    grid: Grid
    bands: list[Band]
    nodata: float | None
    overviews: list[int]
    largest_error: float | None
    mean_error: float | None
    classes: list[Class]
    footprint: Footprint
    minzoom: int
    maxzoom: int


def write(raster: Raster, report: RasterReport, options: RasterOptions, profile: Profile, target: Path) -> None:
    """Make the COG at `target`. Cannot be interrupted from within; the caller removes what a failure leaves."""
    _unchanged(raster, report)
    with _prepared(raster.dataset, report, options, profile) as prepared:
        try:
            rasterio.shutil.copy(prepared, target, driver="COG", **_creation_options(report, profile))
            if profile.target_crs is not None:
                raster_classes.restore_names(raster.dataset, target)
        except (RasterioError, CPLE_BaseError) as error:
            raise TaskError(
                "COG_NOT_WRITTEN",
                f"The COG of {raster.name} could not be written",
                category="system",
                retryable=True,
                remediation="Look at the messages, and at the free space of the storage",
            ) from error


def verify(raster: Raster, report: RasterReport, options: RasterOptions, profile: Profile, made: Path, check: Check) -> Made:
    """Prove that what was made is a valid COG and holds the source's pixels, and report on it; raises where it does not."""
    source, name = raster.dataset, raster.name
    _valid(made, name)
    with rasterio.open(made, driver="GTiff", sharing=False) as cog:
        statistics, largest_error, mean_error = _compare(source, cog, name, report, profile, check)
        if profile.target_crs is None:
            _same_place(source, cog, name)
        classes = raster_classes.of(cog)
        _same_meaning(source, cog, name, report, classes)
        if not any(band.valid for band in statistics):
            raise _unequal(name, "it holds no data")
        crs = raster_crs.of(cog)
        grid = raster_report.grid_of(cog, crs)
        minzoom, maxzoom = get_zooms(cog)
        return Made(
            grid=grid,
            bands=raster_report.bands_of(cog, statistics, _names(options, report, cog.count)),
            nodata=cog.nodata,
            overviews=[int(factor) for factor in cog.overviews(1)],
            largest_error=largest_error,
            mean_error=mean_error,
            classes=raster_classes.completed(classes, cog, statistics[0]) if profile.kind in ("categorical", "mask") else [],
            footprint=Footprint(report.geometry, report.bbox) if grid == report.grid else raster_report.footprint_of(grid, crs, name),
            minzoom=int(minzoom),
            maxzoom=int(maxzoom),
        )


def _creation_options(report: RasterReport, profile: Profile) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "compress": profile.compression.upper(),
        "predictor": "YES" if profile.predictor else "NO",
        "blocksize": profile.blocksize,
        "bigtiff": profile.bigtiff.upper(),
        # A source's own overviews may be anything; ours are computed as the profile says. Where the driver computes none,
        # it would take the source's in spite of being told to ignore them.
        "overviews": "IGNORE_EXISTING" if profile.target_crs or max(report.grid.width, report.grid.height) > profile.blocksize else "NONE",
        "overview_resampling": profile.overview_resampling.upper(),
        # Threads are for several tiles; to start them for one takes a tenth of its time.
        "num_threads": "ALL_CPUS" if max(report.grid.width, report.grid.height) > profile.blocksize else 1,
    }
    if profile.quality is not None:
        chosen["quality"] = profile.quality
    if profile.effort is not None:
        chosen["level"] = profile.effort
    if profile.compression == "lerc":
        chosen["max_z_error"] = profile.max_error or 0
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


def _unchanged(raster: Raster, report: RasterReport) -> None:
    """Refuse a source that is not the one that was examined. Its pixels are compared later anyway."""
    grid, dataset = report.grid, raster.dataset
    if (dataset.width, dataset.height, dataset.count, raster.path.stat().st_size) != (
        grid.width,
        grid.height,
        len(report.bands),
        report.source.size,
    ):
        raise raster_source.changed(raster.name)


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
) -> tuple[list[pixels.Statistics], float | None, float | None]:
    """Read the COG as a whole, beside the source where they have the same grid; returns statistics, the largest and the mean difference."""
    comparable = profile.target_crs is None
    statistics = [pixels.Statistics(dtype) for dtype in cog.dtypes]
    validity = pixels.Validity(cog, cog.nodata)
    bands = list(range(1, min(cog.count, source.count) + 1))
    largest, total, compared = 0.0, 0.0, 0
    try:
        for window in pixels.windows(cog, source if comparable else None):
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
                difference = np.abs(before.astype(np.float64) - after.astype(np.float64))
                difference = difference if mask is None else difference[mask]
                difference = difference[np.isfinite(difference)]
                if difference.size:
                    largest, total, compared = (
                        max(largest, float(difference.max())),
                        total + float(difference.sum()),
                        compared + difference.size,
                    )
    except RasterioError as error:
        raise _unequal(name, "it does not read") from error
    mean = total / compared if compared else 0.0
    if profile.mean_error_bound is not None and mean > profile.mean_error_bound:
        raise _unequal(name, f"pixels differ by {mean:.1f} on average")
    if profile.max_error is not None and largest > profile.max_error + _rounding(cog.dtypes[0], statistics):
        raise _unequal(name, f"pixels differ by up to {largest:g}")
    return (statistics, largest, mean) if comparable else (statistics, None, None)


def _rounding(dtype: str, statistics: list[pixels.Statistics]) -> float:
    """What the values' own type rounds away beyond the error that was allowed."""
    if np.dtype(dtype).kind != "f":
        return 0.0
    return 4 * float(np.finfo(dtype).eps) * max(abs(edge) for band in statistics for edge in (band.minimum or 0.0, band.maximum or 0.0))


def _same_meaning(source: Any, cog: Any, name: str, report: RasterReport, classes: list[Class]) -> None:
    """What values mean must have come through with them: colours, classes, scale and offset."""
    if report.palette and _colors_shown(source.colormap(1), cog.nodata) != _colors_shown(cog.colormap(1), cog.nodata):
        raise _unequal(name, "its colour table differs")
    if {one.value: one.name for one in raster_classes.of(source)} != {one.value: one.name for one in classes}:
        raise _unequal(name, "the names of its classes differ")
    for before, after in ((source.scales, cog.scales), (source.offsets, cog.offsets), (source.units, cog.units)):
        # An alpha band may have come or gone.
        if any(one != other for one, other in zip(before, after, strict=False)):
            raise _unequal(name, "its scales, offsets or units differ")


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
