"""What DDH may ask for: the processing_config of each request type, and the identity that every job of it carries.

platform.submit_request validates processing_config against the model of its request type (by the generated SQL
validator) and builds each job's parameters from: identity, the configuration, and the result of the job before; each
job type takes the keys that its own parameter model names.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from codegen.messages.base import Message
from codegen.messages.h3 import ZonalOptions

Identifier = Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z_][a-z0-9_]*$")]
Crs = Annotated[str, Field(max_length=50, pattern="^[A-Z]+:[0-9]+$")]
Keyword = Annotated[str, Field(min_length=1, max_length=200)]


class RequestIdentity(Message):
    """Who asked for what: the same in every job of a request."""

    request_id: str = Field(min_length=32, max_length=32, pattern="^[0-9a-f]+$", description="The request")
    revision: int = Field(ge=1, description="Its revision")
    client_id: str = Field(max_length=50, description="The client")
    client_role: str = Field(max_length=63, description="Its login, which may read what it asked for")
    collection_prefix: str = Field(max_length=30, description="Prefix of its STAC collections")
    dataset_id: str = Field(max_length=255, description="The client's dataset")
    resource_id: str = Field(max_length=255, description="The client's resource")
    version_id: str = Field(max_length=50, description="The client's version")
    stac_item_id: str = Field(max_length=600, description="Id of the STAC item, or prefix of the items of a collection")


class RequestSource(Message):
    """Where the source is, and where it may be."""

    source_path: str = Field(min_length=1, max_length=100000, description="Path or URL; for a collection a JSON array of them or a prefix ending in a slash")
    source_roots: list[str] = Field(min_length=1, description="Folders and URL prefixes that the client may name; checked again after links are resolved")


class SubmissionConfig(Message):
    """Keys of processing_config that every request type takes."""

    overwrite: bool = Field(default=False, description="Replace what the same identity already has by a new revision")
    previous_version_id: str | None = Field(default=None, min_length=1, max_length=50, description="The version that this one follows: refused where another has come meanwhile")
    priority: int = Field(default=0, ge=-100, le=100, description="Higher runs first")


class CommonConfig(SubmissionConfig):
    """Keys of processing_config that every request type takes that reads a file."""

    title: str | None = Field(default=None, min_length=1, max_length=500, description="Title of the item or collection")
    description: str | None = Field(default=None, min_length=1, max_length=10000, description="Description of the item or collection")
    license: str | None = Field(default=None, min_length=1, max_length=200, description="SPDX identifier, or other")
    keywords: list[Keyword] = Field(default_factory=list, max_length=100, description="Keywords")
    datetime: str | None = Field(default=None, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$", description="When the data is from (RFC 3339); default: the file's own time, else the time of ingest")
    source_crs: Crs | None = Field(default=None, description="CRS of the source where the file does not say, e.g. EPSG:4326")
    stac_collection: str | None = Field(default=None, min_length=1, max_length=100, pattern="^[a-z0-9][a-z0-9_-]*$", description="STAC collection, below the client's prefix")


class VectorConfig(CommonConfig):
    """processing_config of a vector request."""

    table_name: Identifier | None = Field(default=None, description="Table in schema geo; default: slug of dataset, resource and version")
    layer: str | None = Field(default=None, min_length=1, max_length=255, description="Layer of a file that has several; * for all of them, a table each")
    arcgis_mode: bool = Field(default=False, description="Call the geometry column shape, as ArcGIS Enterprise does")
    geometry_type: Literal["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRY", "split"] | None = Field(default=None, description="Type of the geometry column; default: the multi type of what the file holds, and POINT where it holds single points only; split for a table each of points, lines and polygons")
    target_crs: Crs | None = Field(default=None, pattern="^EPSG:[0-9]+$", description="CRS of the table; default: EPSG:4326")
    keep_z: bool = Field(default=False, description="Keep Z coordinates")
    latitude_column: str | None = Field(default=None, min_length=1, max_length=255, description="Column of a CSV with the latitude or northing; default: by its name")
    longitude_column: str | None = Field(default=None, min_length=1, max_length=255, description="Column of a CSV with the longitude or easting; default: by its name")
    wkt_column: str | None = Field(default=None, min_length=1, max_length=255, description="Column of a CSV with the geometry as WKT; default: by its name")
    column_map: dict[str, Any] = Field(default_factory=dict, description="Names in the table by names in the source, for columns that are not to have the name that the rule gives them")
    indexes: list[Identifier] = Field(default_factory=list, max_length=20, description="Columns to index, by their names in the table")
    mode: Literal["create", "replace", "append", "upsert"] = Field(default="create", description="What becomes of the table: made for this request; put in the place of the client's table of that name; rows added to it; rows added, or changed where key_columns are the same")
    key_columns: list[Identifier] = Field(default_factory=list, max_length=10, description="Columns that tell rows apart, by their names in the table; upsert needs them")
    inspect_only: bool = Field(default=False, description="Read the source and report what would be made and what stands in the way; make nothing")
    on_busy: Literal["wait", "refuse"] = Field(default="wait", description="What another open request for the same table means: this one has its turn after it, or is refused")
    on_reject: Literal["quarantine", "fail"] = Field(default="quarantine", description="What a row that cannot be ingested means")
    max_rejects: int | None = Field(default=None, ge=0, le=2147483647, description="More rejected rows fail the request")
    chunk_rows: int = Field(default=50000, ge=100, le=1000000, description="Rows a task loads")


class RasterOptions(Message):
    """How a COG is made."""

    kind: Literal["rgb", "rgba", "multispectral", "continuous", "dem", "vegetation_index", "categorical", "mask"] | None = Field(default=None, description="What the raster shows; default: inferred, and recorded")
    tier: Literal["visualization", "analysis", "archive"] = Field(default="analysis", description="What the COG is for: visualization makes 8-bit colours lossy, analysis is lossless, archive is lossless and smaller")
    compression: Literal["deflate", "zstd", "lzw", "jpeg", "webp", "lerc", "none"] | None = Field(default=None, description="Compression; default by tier and kind")
    quality: int | None = Field(default=None, ge=1, le=100, description="Of jpeg and webp; default 85")
    max_error: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Greatest difference that lerc may make; default: none")
    predictor: bool | None = Field(default=None, description="Compress differences instead of values; default by kind")
    blocksize: int | None = Field(default=None, ge=128, le=4096, multiple_of=16, description="Width and height of a tile; default 512")
    bigtiff: Literal["if_safer", "if_needed", "yes", "no"] | None = Field(default=None, description="Whether offsets have 64 bits; default if_safer")
    resampling: Literal["nearest", "average", "bilinear", "cubic", "cubicspline", "lanczos", "mode", "rms", "gauss"] | None = Field(default=None, description="Resampling of the overviews; default by kind")
    warp_resampling: Literal["nearest", "average", "bilinear", "cubic", "cubicspline", "lanczos", "mode"] | None = Field(default=None, description="Resampling where it is reprojected; default by kind")
    target_crs: Crs | None = Field(default=None, description="Reproject to this CRS; default: keep the source's")
    nodata: float | None = Field(default=None, allow_inf_nan=False, description="Value that means no data, where the file does not say")
    band_names: list[str] | None = Field(default=None, min_length=1, description="Names of the bands, in order")
    strict: bool = Field(default=False, description="Turn warnings into refusals")


class RasterConfig(CommonConfig, RasterOptions):
    """processing_config of a raster request."""


class CollectionConfig(CommonConfig, RasterOptions):
    """processing_config of a collection request."""

    homogeneity: Literal["strict", "warn", "ignore"] = Field(default="strict", description="Whether members must agree in bands, data type, kind, CRS and resolution")
    mode: Literal["replace", "append"] = Field(default="replace", description="Whether a new revision's members take the place of all that the request published, or are added to them; one of the same name is replaced")
    on_item_error: Literal["fail", "continue"] = Field(default="continue", description="What a member that cannot be converted means to the others")


class Offered(Message):
    """What a vector request offers beside its table; the jobs that load it are not told of this."""

    download: Literal["gpkg"] | None = Field(default=None, description="Offer what the request loads as a file, too: gpkg, a GeoPackage; default: none")


class Measured(Message):
    """What becomes of a result once it is published; no job that makes it is told of this."""

    h3: ZonalOptions | None = Field(default=None, description="Measure the result over a grid of H3 cells (docs/h3.md)")


class Shared(Message):
    """Whether an equal request's artefacts will do; no job that makes any is told of this."""

    reprocess: bool = Field(default=False, description="Process the source, even where an earlier request of the same bytes and options has been published")


class VectorRequestConfig(VectorConfig, Offered, Measured, Shared):
    """processing_config of a vector request, whole."""


class RasterRequestConfig(RasterConfig, Measured, Shared):
    """processing_config of a raster request, whole."""


class CollectionRequestConfig(CollectionConfig, Measured, Shared):
    """processing_config of a collection request, whole."""


class StatisticsRequestConfig(SubmissionConfig):
    """processing_config of an h3_statistics request, whole."""

    h3: ZonalOptions = Field(description="What is measured, over which grid of H3 cells (docs/h3.md)")
