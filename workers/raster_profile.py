"""How the COG of a raster is made: compression, tiles, resampling, mask, by what it shows and what it is for.

A tier says what it is for. `analysis` is lossless and quick to read; `archive` is lossless and as small as DEFLATE makes it, for
readers that are not written yet; `visualization` makes 8-bit colours lossy, and nothing else. The kind of the raster decides on
the rest. Each choice can be overruled by the request, and all of them are recorded.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from codegen.messages.raster_report import Kind, Profile, RasterReport
from codegen.messages.request import RasterOptions
from workers import raster_report
from workers.errors import TaskError

BLOCKSIZE = 512
QUALITY = 85
_LOSSY = ("jpeg", "webp")
_WITH_PREDICTOR = ("deflate", "zstd", "lzw")
_MOST_EFFORT = {"deflate": 9, "zstd": 19}

_OVERVIEWS: dict[Kind, str] = {
    "rgb": "average",
    "rgba": "average",
    "multispectral": "average",
    "continuous": "average",
    "dem": "average",
    "vegetation_index": "average",
    "categorical": "mode",
    "mask": "nearest",
}
_WARP: dict[Kind, str] = {
    "rgb": "cubic",
    "rgba": "cubic",
    "multispectral": "bilinear",
    "continuous": "bilinear",
    "dem": "bilinear",
    "vegetation_index": "bilinear",
    "categorical": "nearest",
    "mask": "nearest",
}
_DISCRETE: tuple[Kind, ...] = ("categorical", "mask")
_CHOICES = (
    "tier", "kind", "compression", "quality", "max_error", "predictor", "blocksize", "bigtiff", "resampling", "warp_resampling",
    "target_crs", "nodata", "band_names",
)  # fmt: skip


def choose(report: RasterReport, options: RasterOptions) -> Profile:
    """How the COG of an examined raster is made. Refuses what cannot be."""
    kind = report.kind
    count = len(report.bands)
    _possible(report, kind)
    compression = options.compression or _compression(report, options.tier)
    if options.max_error is not None:
        _bound_is_possible(report, compression, options.max_error)
    lossy = compression in _LOSSY
    if lossy:
        _lossy_is_possible(report, kind, compression)
    predictor = options.predictor
    if predictor is None:
        predictor = compression in _WITH_PREDICTOR and kind not in _DISCRETE and not report.palette
    elif predictor and compression not in _WITH_PREDICTOR:
        raise _not_possible("PREDICTOR_NOT_POSSIBLE", "predictor", True, f"{compression} has no predictor")
    if options.quality is not None and not lossy:
        raise _not_possible("QUALITY_NOT_POSSIBLE", "quality", options.quality, f"{compression} changes no values, so it has no quality")
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
    quality = (options.quality or QUALITY) if lossy else None
    return Profile(
        tier=options.tier,
        kind=kind,
        kind_reason=report.kind_reason,
        compression=compression,
        effort=_MOST_EFFORT.get(compression) if options.tier == "archive" else None,
        predictor=predictor,
        quality=quality,
        max_error=options.max_error,
        mean_error_bound=None if quality is None else _mean_error_bound(quality),
        lossless=not lossy and not options.max_error,
        blocksize=options.blocksize or BLOCKSIZE,
        bigtiff=options.bigtiff or "if_safer",
        overview_resampling=options.resampling or _OVERVIEWS[kind],
        warp_resampling=None if target is None else options.warp_resampling or _WARP[kind],
        target_crs=target,
        nodata=raster_report.told_nodata(nodata),
        alpha=alpha,
        asked=[key for key in _CHOICES if getattr(options, key) not in (None, RasterOptions.model_fields[key].default)],
    )


def _compression(report: RasterReport, tier: str) -> str:
    """What a tier compresses by. Only colours of 8 bits are changed, and only where they are looked at and not measured."""
    if tier == "visualization" and report.bands[0].data_type == "uint8" and not report.palette:
        if report.kind == "rgb":
            return "jpeg"
        if report.kind == "rgba":
            # JPEG would make a mask of it, which is either there or not.
            return "webp"
    return "deflate"


def _mean_error_bound(quality: int) -> float:
    """Mean difference of 8-bit values that a lossy compression of a quality stays below, by far."""
    return 12.0 if quality >= 75 else 24.0 if quality >= 40 else 48.0


def _bound_is_possible(report: RasterReport, compression: str, bound: float) -> None:
    if compression != "lerc":
        raise _not_possible("MAX_ERROR_NOT_POSSIBLE", "max_error", bound, f"lerc keeps to a greatest error, and {compression} does not")
    if report.kind in _DISCRETE or report.palette:
        raise _not_possible("MAX_ERROR_NOT_POSSIBLE", "max_error", bound, f"the values of {report.source.name} are classes")
    if report.masked or report.nodata not in (None, "nan"):
        raise _not_possible(
            "MAX_ERROR_NOT_POSSIBLE",
            "max_error",
            bound,
            f"an error would blur nodata of {report.source.name} into data",
        )


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


def _not_possible(code: str, field: str, value: Any, message: str) -> TaskError:
    return TaskError(code, message, category="user", field=field, value=value, remediation=f"Choose another {field}, or leave it out")
