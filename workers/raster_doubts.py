"""What is doubtful about a raster and does not stop it: each a warning, which `strict` turns into a refusal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pyproj import CRS

from codegen.messages.raster_report import Kind, Warned
from workers import pixels, raster_crs, raster_kind

_SUSPECTED_NODATA = (-9999.0, -99999.0, -32768.0, -32767.0, -3.4028234663852886e38, -1.7976931348623157e308)
_ONCE = ("red", "green", "blue", "alpha")
_NEARLY_EMPTY_PERCENT = 1.0


def of(dataset: Any, statistics: list[pixels.Statistics], nodata: float | None, crs: CRS, kind: Kind) -> list[Warned]:
    """What is doubtful about an open raster, all of which has been read."""
    warned: list[Warned] = []
    _band_doubts(dataset, statistics, nodata, warned)
    _nodata_doubts(statistics, nodata, warned)
    _absurd_values(statistics, kind, warned)
    _header_doubts(dataset, crs, warned)
    return warned


def _band_doubts(dataset: Any, statistics: list[pixels.Statistics], nodata: float | None, warned: list[Warned]) -> None:
    for index, band in enumerate(statistics, start=1):
        if not band.valid:
            warned.append(
                Warned(code="BAND_ALL_NODATA", message=f"band {index} holds no data", remediation="Leave the band out of the file")
            )
        elif band.valid_percent < _NEARLY_EMPTY_PERCENT:
            warned.append(
                Warned(code="BAND_NEARLY_EMPTY", message=f"band {index} holds data in {band.valid_percent:.3g} % of its pixels only")
            )
    if nodata is None:
        with np.errstate(over="ignore"):
            suspects = {
                float(np.dtype(dataset.dtypes[0]).type(value)) for value in _SUSPECTED_NODATA if pixels.can_hold(value, dataset.dtypes[0])
            }
        for index, band in enumerate(statistics, start=1):
            if band.minimum in suspects and (band.maximum or 0) > (band.minimum or 0):
                warned.append(
                    Warned(
                        code="NODATA_MISSING",
                        message=f"{band.minimum:g} is the least value of band {index} and looks like nodata that is not declared",
                        remediation=f"Give nodata {band.minimum:g}",
                    )
                )
                break


def _header_doubts(dataset: Any, crs: CRS, warned: list[Warned]) -> None:
    colors = [color.name for color in dataset.colorinterp if color.name in _ONCE]
    if len(set(colors)) < len(colors):
        warned.append(
            Warned(
                code="COLOURS_REPEATED",
                message=f"several bands are said to be the same colour: {', '.join(colors)}",
                remediation="Correct the colour interpretation of the bands, or give kind",
            )
        )
    if dataset.transform.e > 0:
        warned.append(Warned(code="SOUTH_UP", message="the first row is the southernmost, which some readers show upside down"))
    if dataset.subdatasets:
        warned.append(Warned(code="SEVERAL_IMAGES", message=f"the file holds {len(dataset.subdatasets)} images; the first is taken"))
    if raster_crs.code(crs) is None:
        warned.append(
            Warned(code="CRS_WITHOUT_CODE", message=f"no registry knows the coordinate reference system {crs.name}; it is kept as WKT")
        )


def _nodata_doubts(statistics: list[pixels.Statistics], nodata: float | None, warned: list[Warned]) -> None:
    """What does not fit the value that means no data."""
    for index, band in enumerate(statistics, start=1):
        if band.infinite:
            warned.append(
                Warned(
                    code="INFINITE_VALUES",
                    message=f"{band.infinite} pixels of band {index} are infinite; they count as no data",
                    remediation="Look for a division by zero where the file was made",
                )
            )
            break
    if nodata is None or not math.isfinite(nodata):
        return
    for index, band in enumerate(statistics, start=1):
        if band.not_finite > band.infinite:
            warned.append(
                Warned(
                    code="NAN_BESIDE_NODATA",
                    message=f"band {index} has NaN beside nodata {nodata:g}; both count as no data",
                    remediation="Use one of them",
                )
            )
            break
    for index, band in enumerate(statistics, start=1):
        if band.minimum is not None and band.maximum is not None and band.minimum < nodata < band.maximum:
            warned.append(
                Warned(
                    code="NODATA_INSIDE_RANGE",
                    message=f"nodata {nodata:g} lies within the values of band {index}, {band.minimum:g} to {band.maximum:g}",
                    remediation="Use a value for nodata that no measurement can have",
                )
            )
            break


def _absurd_values(statistics: list[pixels.Statistics], kind: Kind, warned: list[Warned]) -> None:
    """Values that what it shows cannot have."""
    for index, band in enumerate(statistics, start=1):
        if band.minimum is None or band.maximum is None:
            continue
        why = raster_kind.absurd(kind, band.minimum, band.maximum)
        if why is not None:
            warned.append(
                Warned(
                    code="ABSURD_VALUES",
                    message=f"band {index} has values from {band.minimum:g} to {band.maximum:g}, {why}",
                    remediation="Look for values that mean no data, and for the unit; or give another kind",
                )
            )
            return
