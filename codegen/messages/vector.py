"""Parameters of the vector jobs, and what their stages hand to one another."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from codegen.messages.base import Message
from codegen.messages.request import Identifier, Offered, RequestIdentity, RequestSource, VectorConfig

Family = Literal["points", "lines", "polygons"]


class IngestVectorParameters(VectorConfig, RequestIdentity, RequestSource):
    """Parameters of the job `ingest_vector`."""

    table_name: Identifier = Field(description="Table in schema geo, reserved for the client")
    stac_collection: str = Field(max_length=100, description="STAC collection that the item goes to")


class InspectVectorParameters(VectorConfig, RequestIdentity, RequestSource):
    """Parameters of the job `inspect_vector`, which makes no table, and so needs no name for one."""


class VectorCatalogParameters(Offered, RequestIdentity):
    """Parameters of the job `stac_catalog_vectors`: the request's own words, and what ingest_vector found."""

    table_name: Identifier = Field(description="Table in schema geo")
    title: str | None = Field(default=None, description="Title of the item")
    description: str | None = Field(default=None, description="Description of the item")
    license: str | None = Field(default=None, description="SPDX identifier, or other")
    keywords: list[str] = Field(default_factory=list, description="Keywords")
    datetime: str | None = Field(default=None, description="When the data is from")
    stac_collection: str = Field(max_length=100, description="STAC collection that the item goes to")
    vector: dict[str, Any] = Field(description="Report of ingest_vector: rows, columns, extent, CRS, lineage")
    reused_from: str | None = Field(default=None, description="The equal request whose rows will do; null where they were loaded")
    downloaded: dict[str, Any] | None = Field(default=None, description="That one's file for download")


class Chunk(Message):
    """A part of a layer that one task loads: the features with start <= fid < end, or all of them."""

    start: int | None = Field(default=None, ge=0, description="First feature id; NULL for the layer's beginning")
    layer: int = Field(default=0, ge=0, description="Which of the plan's layers, where there are several")
    end: int | None = Field(default=None, ge=0, description="Feature id after the last; NULL for the layer's end")
    offset: int | None = Field(default=None, ge=0, description="Byte of the file at which the first feature begins, where parts are found so")


class PlannedColumn(Message):
    """A column of the source and what it becomes."""

    name: str = Field(max_length=63, description="Name in the table")
    type: str = Field(description="PostgreSQL type in the table")
    original: str = Field(description="Name in the source")


class SourceReport(Message):
    """What was read: enough to find it again, and to tell whether it changed."""

    file: str = Field(max_length=1000, description="Name of the file that the request named")
    member: str | None = Field(default=None, description="Path of the dataset inside the archive, where it is one")
    format: str = Field(max_length=50, description="Format, decided from the content: shp, gpkg, geojson, fgb and so on")
    layer: str = Field(description="Layer")
    encoding: str | None = Field(default=None, description="Encoding to read text with, where the file does not say")
    crs: str = Field(max_length=50, description="EPSG:n, or a short name")
    crs_wkt: str | None = Field(default=None, description="WKT of the CRS, where it has no code")
    bytes: int = Field(ge=0, description="Size of the file and what belongs to it")
    sha256: str = Field(min_length=64, max_length=64, description="SHA-256 of the file; of several (a shapefile), one after the other by name")
    modified: str = Field(description="The file's own time (RFC 3339)")


class VectorPlan(Message):
    """What inspect found and decided: load and finish keep to it."""

    source: SourceReport = Field(description="The source")
    suffix: str | None = Field(default=None, description="What the layer's table and item have after the request's names; NULL where it is the only one")
    family: Family | None = Field(default=None, description="Which of the layer's features its table is for, where it is split; the first one's parts are read for all")
    more: list[VectorPlan] = Field(default_factory=list, description="The other tables, where all layers were asked for, or a layer is split; their parts are in the first one's chunks")
    stamp: str = Field(description="Sizes and times of its files; a difference means that they changed since")
    srid: int | None = Field(default=None, description="The source's CRS in spatial_ref_sys; NULL where it is not there")
    features: int | None = Field(default=None, ge=0, description="Features in the layer; NULL where the file does not know")
    target_srid: int = Field(default=4326, ge=1, description="The table's CRS, as its EPSG code")
    geometry_type: str = Field(description="Type of the geometry column, e.g. MULTIPOLYGONZ")
    geometry_column: str | None = Field(default=None, description="Name of the geometry column; NULL in a plan of the version before")
    into: Literal["new", "existing"] = Field(default="new", description="Whether the rows become a table, or go into one that is there")
    columns: list[PlannedColumn] = Field(description="The source's columns, in its order")
    reading: dict[str, str] = Field(default_factory=dict, description="How the file is read, where that had to be found out: delimiter, coordinate columns")
    batch_rows: int = Field(ge=1, description="Rows to hold in memory at a time")
    chunks: list[Chunk] = Field(description="Parts to load; each becomes a task")
    warnings: list[dict[str, Any]] = Field(default_factory=list, description="What the client should know")


class RejectFile(Message):
    """A file of what was rejected."""

    href: str = Field(description="Where it is")
    media_type: str = Field(description="text/csv or application/geo+json")
    size: int = Field(ge=0, description="Bytes")


class Download(Message):
    """What the task `vector_download` made."""

    key: str = Field(description="Key of the file in the storage")
    href: str = Field(description="Where it is")
    size: int = Field(ge=0, description="Bytes")
    checksum: str = Field(description="SHA-256 as a multihash")
    media_type: str = Field(description="What it is")
    warnings: list[dict[str, Any]] = Field(default_factory=list, description="What it could not have as the table has it")


class VectorReport(Message):
    """What finish reports of the table: the key `vector` of the job's result, which the catalogue job receives."""

    table: str = Field(description="The table, with its schema")
    suffix: str | None = Field(default=None, description="What its item has after the request's id; NULL where it is the only one")
    more: list[VectorReport] = Field(default_factory=list, description="The other tables, where all layers were asked for, or a layer is split")
    number: int | None = Field(default=None, ge=0, description="Which of the plan's tables it is, where a layer is split: one without rows is left out")
    job_id: str | None = Field(default=None, description="Job that loaded it, into a table that the catalogue puts in its place; NULL where a worker of the version before has done so")
    loaded_by: str | None = Field(default=None, description="Job that loaded its rows, where those are an equal request's")
    indexes: list[str] = Field(default_factory=list, description="Columns that have an index")
    geometry_column: str = Field(description="Name of its geometry column")
    geometry_type: str = Field(description="Type of its geometry column")
    srid: int = Field(default=4326, ge=1, description="CRS of its geometry column, as its EPSG code")
    mode: Literal["create", "replace", "append", "upsert"] = Field(default="create", description="How the rows reach it")
    key_columns: list[str] = Field(default_factory=list, description="Columns that tell its rows apart")
    swapped: bool = Field(default=True, description="Whether it is a new table, in the place of what was there; else its rows went into one")
    rows: int = Field(ge=0, description="Rows of the source in it: inserted + updated")
    inserted: int | None = Field(default=None, ge=0, description="Rows that are new in it; NULL before they are published")
    updated: int | None = Field(default=None, ge=0, description="Rows that were there, and were changed; NULL before they are published")
    removed: int | None = Field(default=None, ge=0, description="Rows of an earlier revision of the request that went; NULL before they are published")
    read: int = Field(ge=0, description="Features read: rows + rejected")
    rejected: int = Field(ge=0, description="Features that became no row")
    reject_files: list[RejectFile] = Field(default_factory=list, description="What became no row, and why")
    repaired: int = Field(ge=0, description="Invalid geometries made valid")
    bbox: list[float] = Field(min_length=4, max_length=4, description="West, south, east, north in EPSG:4326")
    columns: list[PlannedColumn] = Field(description="The source's columns, in its order")
    source: SourceReport = Field(description="The source")
    warnings: list[dict[str, Any]] = Field(default_factory=list, description="What the client should know")


class ChunkReport(Message):
    """What became of the features of a chunk: read = inserted + rejected."""

    read: int = Field(ge=0, description="Features read")
    inserted: int = Field(ge=0, description="Rows in the table")
    rejected: int = Field(ge=0, description="Features that became no row")
    repaired: int = Field(default=0, ge=0, description="Invalid geometries made valid")
    linearised: int = Field(default=0, ge=0, description="Curves turned into lines")
    measured: int = Field(default=0, ge=0, description="Geometries whose M values were dropped")
    surfaces: int = Field(default=0, ge=0, description="Polyhedral surfaces and TINs turned into multipolygons")
    wrapped: int = Field(default=0, ge=0, description="Geometries beyond or across the antimeridian, brought within ±180 degrees and divided there")
    long_edges: int = Field(default=0, ge=0, description="Geometries with an edge of more than 180 degrees")
    without_geometry: int = Field(default=0, ge=0, description="Rows whose geometry is null or empty")
    more: list[ChunkReport] = Field(default_factory=list, description="The same of the layer's other tables, where it is split")
    reasons: dict[str, int] = Field(default_factory=dict, description="Rejected features by code")
    altered: dict[str, dict[str, int]] = Field(default_factory=dict, description="Values that could not be kept as they were: by what was done, then by column")
