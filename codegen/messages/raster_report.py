"""What the stages of the raster and collection jobs tell one another: a source examined, a COG made."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field

from codegen.messages.base import Message

Kind = Literal["rgb", "rgba", "multispectral", "continuous", "dem", "vegetation_index", "categorical", "mask"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Nodata = float | Literal["nan", "inf", "-inf"]
"""A nodata value as JSON can hold it, spelled as STAC does."""


class Warned(Message):
    """Something that the client should know about, though it did not stop the work."""

    code: str = Field(description="Stable code, e.g. NODATA_MISSING")
    message: str = Field(description="What was found")
    remediation: str | None = Field(default=None, description="What to do about it")


class SourceFile(Message):
    """The bytes that a report is about."""

    name: str = Field(description="Name of the file")
    size: int = Field(description="Bytes")
    checksum: str = Field(description="SHA-256 as a multihash")
    driver: str = Field(description="Format, as GDAL calls it")


class Band(Message):
    """One band: what it is and what its valid pixels are like."""

    name: str = Field(description="Name, given or b1, b2, ...")
    data_type: str = Field(description="Type of its values")
    color: str = Field(description="Colour interpretation")
    minimum: float | None = Field(description="Least value; null where nothing is valid")
    maximum: float | None = Field(description="Greatest value")
    mean: float | None = Field(description="Mean")
    stddev: float | None = Field(description="Standard deviation")
    valid_percent: float = Field(description="Share of pixels that hold data")
    unit: str | None = Field(default=None, description="Unit of its values")
    scale: float = Field(default=1.0, description="Factor from stored to real values")
    offset: float = Field(default=0.0, description="Offset from stored to real values")


class Class(Message):
    """A value of a raster of classes."""

    value: int = Field(description="The value")
    name: str = Field(description="What it means")
    color: str | None = Field(default=None, description="Its colour, as RRGGBB")


class Grid(Message):
    """Where the pixels lie."""

    width: int = Field(description="Columns")
    height: int = Field(description="Rows")
    crs: str | None = Field(description="authority:code of the CRS; null where no registry knows it")
    crs_wkt: str = Field(description="The CRS as WKT 2")
    transform: list[float] = Field(min_length=6, max_length=6, description="Affine transform a, b, c, d, e, f")
    bounds: list[float] = Field(min_length=4, max_length=4, description="west, south, east, north in the CRS")


class RasterReport(Message):
    """What validate_raster found."""

    source: SourceFile = Field(description="The file")
    grid: Grid = Field(description="Where its pixels lie")
    crs_source: Literal["file", "request"] = Field(description="Who said so")
    bands: list[Band] = Field(min_length=1, description="Its bands, in order")
    nodata: Nodata | None = Field(description="Value that means no data")
    nodata_source: Literal["file", "request", "pixels"] | None = Field(description="Who said so; pixels: NaN was met")
    kind: Kind = Field(description="What it shows")
    kind_source: Literal["request", "collection", "inferred"] = Field(description="Who said so")
    kind_reason: str = Field(description="Why")
    palette: bool = Field(description="Whether it has a colour table")
    masked: bool = Field(description="Whether it has a mask or an alpha band")
    datetime: str | None = Field(description="The file's own time")
    bbox: list[float] = Field(min_length=4, max_length=4, description="west, south, east, north in EPSG:4326; west > east across the antimeridian")
    geometry: dict[str, Any] = Field(description="Footprint in EPSG:4326")
    warnings: list[Warned] = Field(description="What is doubtful")


class Profile(Message):
    """How a COG is made, and why so."""

    tier: Literal["visualization", "analysis", "archive"] = Field(default="analysis", description="What it is for")
    kind: Kind = Field(description="What the raster shows")
    kind_reason: str = Field(description="Why it is taken for that")
    compression: str = Field(description="Compression")
    effort: int | None = Field(default=None, description="Level of the compression; null leaves it to GDAL")
    predictor: bool = Field(description="Whether differences are compressed instead of values")
    quality: int | None = Field(description="Of a lossy compression")
    max_error: float | None = Field(default=None, description="Greatest difference that the compression may make; null: none")
    mean_error_bound: float | None = Field(default=None, description="Mean difference of a lossy compression beyond which the COG is refused")
    lossless: bool = Field(description="Whether the pixels come through as they were")
    blocksize: int = Field(description="Width and height of a tile")
    bigtiff: str = Field(default="if_safer", description="Whether offsets have 64 bits")
    overview_resampling: str = Field(description="How overviews are computed")
    warp_resampling: str | None = Field(description="How pixels are computed where it is reprojected")
    target_crs: str | None = Field(description="CRS that it is reprojected to; null keeps the source's")
    nodata: Nodata | None = Field(description="Value that means no data in the COG")
    alpha: Literal["kept", "added", "mask"] | None = Field(description="added: an alpha band for what reprojecting leaves empty; mask: nodata or alpha become an internal mask")
    asked: list[str] = Field(description="What of this the request said; the rest follows the kind")


class Sidecar(Message):
    """A file beside a COG that holds what a GeoTIFF cannot."""

    href: str = Field(description="URL that its readers know it by")
    size: int = Field(description="Bytes")
    checksum: str = Field(description="SHA-256 as a multihash")


class CogReport(Message):
    """A COG that was made, checked and published."""

    key: str = Field(description="Key in the storage")
    href: str = Field(description="URL that its readers know it by")
    size: int = Field(description="Bytes")
    checksum: str = Field(description="SHA-256 as a multihash")
    beside: Sidecar | None = Field(default=None, description="Attribute tables and names of classes, published beside it")
    grid: Grid = Field(description="Where its pixels lie")
    bands: list[Band] = Field(min_length=1, description="Its bands, read back from it")
    nodata: Nodata | None = Field(description="Value that means no data")
    overviews: list[int] = Field(description="Decimation of each overview")
    largest_error: float | None = Field(description="Largest difference from the source; null where it was reprojected")
    mean_error: float | None = Field(default=None, description="Mean difference from the source; null where it was reprojected")
    classes: list[Class] = Field(default_factory=list, description="What its values mean, where it says so")
    profile: Profile = Field(description="How it was made")
    source: SourceFile = Field(description="What it was made from")
    datetime: str | None = Field(description="The source's own time")
    bbox: list[float] = Field(min_length=4, max_length=4, description="west, south, east, north in EPSG:4326; west > east across the antimeridian")
    geometry: dict[str, Any] = Field(description="Footprint in EPSG:4326")
    minzoom: int = Field(description="Least useful zoom of web map tiles")
    maxzoom: int = Field(description="Greatest")
    warnings: list[Warned] = Field(default_factory=list, description="What the client should know")
    item_id: str | None = Field(default=None, description="STAC item, where the COG is a member of a collection")


class MemberReport(CogReport):
    """The COG of a member of a collection, made or found again, and what it follows from."""

    fingerprint: str | None = Field(default=None, description="SHA-256 of all that was read of the source; null from a worker of the version before")
    software: str | None = Field(default=None, description="What made it; null from a worker of the version before")
    reused_from: str | None = Field(default=None, description="The request whose COG was found again; null where it was made")


class Member(Message):
    """One raster of a collection: what a task of collection_convert is about."""

    source_path: str = Field(description="As the request names it, or as it was found below the prefix")
    name: str = Field(max_length=150, description="Name of its COG, distinct within the collection")
    item_id: str = Field(description="Its STAC item")
    kind: Kind | None = Field(description="What the members show, decided for all of them; null lets each decide")
    kind_reason: str | None = Field(description="Why")
