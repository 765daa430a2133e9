"""Whether a raster can become a COG: what validate_raster finds, refuses and warns of.

Every pixel is read, for a damaged file opens without complaint. What cannot be placed on Earth, cannot be represented or
holds nothing is refused with its reason; what is only doubtful is a warning, which `strict` turns into a refusal. The
report is plain data: it goes into the task's result and comes back as a parameter of the job that converts.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import rasterio
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError

from codegen.messages.raster_report import Band, Grid, Nodata, RasterReport, SourceFile, Warned
from codegen.messages.request import RasterOptions
from workers import pixels, raster_crs, raster_doubts, raster_kind, raster_source, stac
from workers.errors import TaskError
from workers.footprint import Footprint, NoFootprintError, of_grid
from workers.identity import software_version
from workers.raster_kind import Guess, Values
from workers.raster_source import Raster

_EARTH_RADIUS = 6_378_137.0


Check = Callable[[], None]


def examine(
    raster: Raster, options: RasterOptions, source_crs: str | None, check: Check, kind: Guess | None = None, checksum: str | None = None
) -> RasterReport:
    """Read a raster as a whole and report on it, or refuse it.

    `kind` is what a collection decided for all its members; `checksum` is the file's, where the caller knows it.
    """
    warned: list[Warned] = []
    dataset, name = raster.dataset, raster.name
    crs, crs_from = _placed(dataset, name, source_crs)
    _representable(dataset, name, options)
    nodata, nodata_from = _nodata(dataset, name, options, warned)
    statistics = _read(dataset, name, nodata, check)
    if nodata is None and any(band.not_finite for band in statistics):
        nodata, nodata_from = math.nan, "pixels"
    _holds_something(statistics, name)
    guess = _kind(dataset, name, options, statistics, kind)
    warned += raster_doubts.of(dataset, statistics, nodata, crs, guess.kind)
    grid = grid_of(dataset, crs)
    footprint = footprint_of(grid, crs, name)
    report = RasterReport(
        source=SourceFile(
            name=name, size=raster.path.stat().st_size, checksum=checksum or stac.checksum(raster.path, check), driver=dataset.driver
        ),
        grid=grid,
        crs_source=crs_from,
        bands=bands_of(dataset, statistics, options.band_names),
        nodata=told_nodata(nodata),
        nodata_source=nodata_from,
        kind=guess.kind,
        kind_source="request" if options.kind else "inferred" if kind is None else "collection",
        kind_reason=guess.reason,
        palette=any(color.name == "palette" for color in dataset.colorinterp),
        masked=any(flag.name in ("per_dataset", "alpha") for flag in dataset.mask_flag_enums[0]),
        datetime=_time_of(dataset),
        bbox=footprint.bbox,
        geometry=footprint.geometry,
        warnings=warned,
    )
    if options.strict and warned:
        raise TaskError(
            "STRICT_WARNINGS",
            f"{name} is doubtful, and strict was asked for: {'; '.join(warning.message for warning in warned)}",
            category="data",
            remediation=warned[0].remediation or "Mend the file, or submit without strict",
            context={"warnings": [warning.model_dump() for warning in warned]},
        )
    return report


def read_nodata(told: Nodata | None) -> float | None:
    """The number behind a nodata value in a report."""
    return None if told is None else float(told)


def told_nodata(nodata: float | None) -> Nodata | None:
    """A nodata value as JSON can hold it, spelled as STAC does."""
    if nodata is None or math.isfinite(nodata):
        return nodata
    return "nan" if math.isnan(nodata) else "inf" if nodata > 0 else "-inf"


def fingerprint(raster: Raster, check: Check) -> tuple[str, str]:
    """The SHA-256 of all that is read of a raster, and the checksum of its file alone.

    What lies beside it counts (world file, mask, metadata), by its extension, and so does what its name says of its kind.
    """
    told = stac.checksum(raster.path, check)
    files = sorted(path for path in map(Path, raster.dataset.files) if path != raster.path)
    beside = [[path.name.removeprefix(raster.path.stem), stac.checksum(path, check)] for path in files]
    digest = hashlib.sha256(json.dumps([told, beside, raster_kind.told_by_name(raster.name)]).encode())
    return digest.hexdigest(), told


def software() -> str:
    """What makes a raster's COG: another version may make another one of the same bytes."""
    return f"geomill {software_version()}, GDAL {rasterio.__gdal_version__}"


def grid_of(dataset: Any, crs: CRS) -> Grid:
    """Where the pixels of an open raster lie."""
    return Grid(
        width=dataset.width,
        height=dataset.height,
        crs=raster_crs.code(crs),
        crs_wkt=crs.to_wkt(),
        transform=[float(value) for value in dataset.transform[:6]],
        bounds=[float(value) for value in _ordered(dataset.bounds)],
    )


def footprint_of(grid: Grid, crs: CRS, name: str) -> Footprint:
    """The footprint of a raster; refused where its coordinates are not of its CRS."""
    try:
        return of_grid(crs, Affine(*grid.transform), grid.width, grid.height)
    except NoFootprintError as error:
        raise TaskError(
            "RASTER_NOT_ON_EARTH",
            f"{name} cannot lie where it says in {grid.crs or crs.name}: {error}",
            category="data",
            field="source_crs",
            remediation="Correct the CRS or the coordinates of the file",
        ) from error


def bands_of(dataset: Any, statistics: list[pixels.Statistics], names: list[str] | None) -> list[Band]:
    """The bands of an open raster with their statistics."""
    return [
        Band(
            name=names[index] if names else dataset.descriptions[index] or f"b{index + 1}",
            data_type=dataset.dtypes[index],
            color=dataset.colorinterp[index].name,
            minimum=_finite(found.minimum),
            maximum=_finite(found.maximum),
            mean=_finite(found.mean),
            stddev=_finite(found.stddev),
            valid_percent=found.valid_percent,
            unit=dataset.units[index] or None,
            scale=float(dataset.scales[index]),
            offset=float(dataset.offsets[index]),
        )
        for index, found in enumerate(statistics)
    ]


def _placed(dataset: Any, name: str, requested: str | None) -> tuple[CRS, Literal["file", "request"]]:
    """The CRS of a raster that lies straight in it, and who said so; everything else is refused."""
    transform = dataset.transform
    if transform == Affine.identity():
        if dataset.gcps[0]:
            raise _refused(
                "RASTER_GCP_ONLY", f"{name} is placed by ground control points only", "Warp it, e.g. by gdalwarp, and submit the result"
            )
        if dataset.rpcs is not None:
            raise _refused("RASTER_RPC_ONLY", f"{name} is placed by a sensor model (RPC) only", "Orthorectify it, and submit the result")
        raise _refused(
            "RASTER_NOT_GEOREFERENCED",
            f"{name} has no georeference",
            "Submit a georeferenced file (GeoTIFF, or with a world file and source_crs)",
        )
    if not all(math.isfinite(value) for value in transform[:6]) or transform.a == 0 or transform.e == 0:
        if transform.a == 0 and transform.e == 0 and transform.b and transform.d:
            raise _rotated(name)
        raise _refused(
            "TRANSFORM_INVALID", f"{name} has a georeference without an area: {list(transform[:6])}", "Mend the georeference of the file"
        )
    if max(abs(transform.b / transform.a), abs(transform.d / transform.e)) > 1e-9:
        raise _rotated(name)
    in_file = _crs_in_file(dataset, name)
    if in_file is None:
        if requested is None:
            raise _refused(
                "CRS_MISSING",
                f"{name} does not say in which coordinate reference system it is",
                "Give source_crs, e.g. EPSG:4326",
                "source_crs",
            )
        return _usable(_crs_named(requested, "source_crs"), name), "request"
    if requested is not None and not in_file.equals(_crs_named(requested, "source_crs"), ignore_axis_order=True):
        raise TaskError(
            "CRS_CONFLICT",
            f"{name} is in {raster_crs.code(in_file) or in_file.name}, but source_crs says {requested}",
            category="user",
            field="source_crs",
            value=requested,
            remediation="Leave source_crs out, or correct the file",
        )
    return _usable(in_file, name), "file"


def _crs_in_file(dataset: Any, name: str) -> CRS | None:
    if not dataset.crs:
        return None
    try:
        return raster_crs.of(dataset)
    except (CRSError, RasterioError) as error:
        raise _refused(
            "CRS_NOT_SUPPORTED", f"{name} is in a coordinate reference system that PROJ does not know: {error}", "Reproject the file"
        ) from error


def _crs_named(code: str, field: str) -> CRS:
    try:
        return CRS.from_user_input(code)
    except CRSError as error:
        raise TaskError(
            "CRS_UNKNOWN", f"{code} is no coordinate reference system that PROJ knows", category="user", field=field, value=code,
            remediation="Give an authority and code, e.g. EPSG:4326",
        ) from error  # fmt: skip


def _usable(crs: CRS, name: str) -> CRS:
    base = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    base = base.sub_crs_list[0] if base.is_compound else base
    if not (base.is_geographic or base.is_projected):
        raise _refused(
            "CRS_NOT_SUPPORTED", f"{name} is in {crs.name}, which has no place on Earth ({base.type_name})", "Reproject the file"
        )
    ellipsoid = base.ellipsoid
    if ellipsoid is None or abs(ellipsoid.semi_major_metre / _EARTH_RADIUS - 1) > 0.01:
        raise _refused("CRS_NOT_ON_EARTH", f"{name} is in {crs.name}, which is not of the Earth", "Submit data of the Earth")
    operation = base.coordinate_operation
    if operation is not None and "geostationary" in operation.method_name.lower():
        raise _refused(
            "CRS_NOT_SUPPORTED", f"{name} is in {crs.name}, a geostationary view, which most readers cannot place", "Reproject the file"
        )
    return crs


def _representable(dataset: Any, name: str, options: RasterOptions) -> None:
    """Refuse types that a COG's readers do not read, and names that do not fit the bands."""
    dtype = dataset.dtypes[0]
    if "complex" in dtype:
        raise _refused(
            "DATA_TYPE_NOT_SUPPORTED",
            f"{name} holds complex numbers ({dtype})",
            "Submit amplitude and phase, or real and imaginary part, as bands",
        )
    if dtype in ("int64", "uint64"):
        raise _refused(
            "DATA_TYPE_NOT_SUPPORTED", f"{name} holds 64-bit integers, which most readers cannot read", "Convert it to Int32 or Float64"
        )
    if len(set(dataset.dtypes)) > 1:
        raise _refused(
            "DATA_TYPE_NOT_SUPPORTED", f"{name} has bands of different types: {', '.join(dataset.dtypes)}", "Convert its bands to one type"
        )
    if options.band_names is not None and len(options.band_names) != dataset.count:
        raise TaskError(
            "BAND_NAMES_DIFFER",
            f"{len(options.band_names)} band names were given, but {name} has {dataset.count} bands",
            category="user",
            field="band_names",
            value=options.band_names,
            remediation=f"Give {dataset.count} names, or none",
        )


def _nodata(
    dataset: Any, name: str, options: RasterOptions, warned: list[Warned]
) -> tuple[float | None, Literal["file", "request", "pixels"] | None]:
    in_file = dataset.nodata
    dtype = dataset.dtypes[0]
    if options.nodata is not None and not pixels.can_hold(options.nodata, dtype):
        raise TaskError(
            "NODATA_NOT_REPRESENTABLE",
            f"nodata {options.nodata:g} is no value of {dtype}, the type of {name}",
            category="user",
            field="nodata",
            value=options.nodata,
            remediation="Give a value that the pixels can have, or none",
        )
    if in_file is None:
        return options.nodata, None if options.nodata is None else "request"
    if options.nodata is not None and options.nodata != in_file:
        raise TaskError(
            "NODATA_CONFLICT",
            f"{name} says that {in_file:g} means no data, but nodata says {options.nodata:g}",
            category="user",
            field="nodata",
            value=options.nodata,
            remediation="Leave nodata out, or correct the file",
        )
    if not pixels.can_hold(in_file, dtype):
        warned.append(
            Warned(code="NODATA_NOT_REPRESENTABLE", message=f"nodata {in_file:g} is no value of {dtype}, so no pixel is without data")
        )
        return None, None
    return float(in_file), "file"


def _read(dataset: Any, name: str, nodata: float | None, check: Check) -> list[pixels.Statistics]:
    statistics = [pixels.Statistics(dtype) for dtype in dataset.dtypes]
    validity = pixels.Validity(dataset, nodata)
    try:
        for window in pixels.windows(dataset):
            check()
            data = dataset.read(window=window)
            for band, mask, found in zip(data, validity.of(window, data), statistics, strict=True):
                found.add(band, mask)
    except RasterioError as error:
        raise raster_source.corrupt(name, error) from error
    return statistics


def _holds_something(statistics: list[pixels.Statistics], name: str) -> None:
    if not any(band.valid for band in statistics):
        raise _refused(
            "RASTER_ALL_NODATA", f"{name} holds no data: every pixel of every band is nodata or masked", "Check nodata and the file"
        )


def _kind(dataset: Any, name: str, options: RasterOptions, statistics: list[pixels.Statistics], decided: Guess | None) -> Guess:
    if options.kind is not None:
        return Guess(options.kind, "the request says so")
    if decided is not None:
        return decided
    counted = statistics[0].occurrences()
    first = statistics[0]
    values = Values(first.minimum, first.maximum, first.valid, None if counted is None else counted[0])
    return raster_kind.from_header(dataset) or raster_kind.from_values(dataset, values, raster_kind.names_of(dataset, name))


def _time_of(dataset: Any) -> str | None:
    """TIFFTAG_DATETIME, which has no zone: UTC is as good a guess as any."""
    text = dataset.tags().get("TIFFTAG_DATETIME") or ""
    try:
        return datetime.strptime(text.strip(), "%Y:%m:%d %H:%M:%S").isoformat() + "+00:00"  # noqa: DTZ007 (the zone is added)
    except ValueError:
        return None


def _finite(value: float | None) -> float | None:
    """None for what overflowed on the way: JSON knows no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _ordered(bounds: Any) -> tuple[float, float, float, float]:
    west, south, east, north = bounds
    return min(west, east), min(south, north), max(west, east), max(south, north)


def _rotated(name: str) -> TaskError:
    return _refused(
        "RASTER_ROTATED", f"{name} is rotated or sheared against its coordinate axes", "Warp it, e.g. by gdalwarp, and submit the result"
    )


def _refused(code: str, message: str, remediation: str, field: str | None = None) -> TaskError:
    return TaskError(code, message, category="data", field=field, remediation=remediation)
