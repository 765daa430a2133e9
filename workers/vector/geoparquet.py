"""The layer in a GeoParquet file, by its `geo` metadata: WKB, or the native encodings of version 1.1."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from psycopg.types.json import Jsonb

from codegen.messages.vector import Chunk, VectorPlan
from workers.errors import TaskError
from workers.geo_table import ColumnType, SourceColumn
from workers.vector import arrow, bounds, widening, wkb
from workers.vector.alterations import Alterations
from workers.vector.batches import Batch, Values
from workers.vector.layer import Layer, Place
from workers.vector.source import Dataset
from workers.vector.wkb import Kinds

_ROWS = 10_000
_BUFFER = 1024 * 1024
_NATIVE = {
    "point": (shapely.GeometryType.POINT, 0),
    "linestring": (shapely.GeometryType.LINESTRING, 1),
    "polygon": (shapely.GeometryType.POLYGON, 2),
    "multipoint": (shapely.GeometryType.MULTIPOINT, 1),
    "multilinestring": (shapely.GeometryType.MULTILINESTRING, 2),
    "multipolygon": (shapely.GeometryType.MULTIPOLYGON, 3),
}
"""By encoding: the type, and how many lists the coordinates lie in."""
_TYPES: dict[pa.DataType, ColumnType] = {
    pa.bool_(): ColumnType.BOOLEAN,
    pa.int8(): ColumnType.SMALLINT, pa.int16(): ColumnType.SMALLINT, pa.int32(): ColumnType.INTEGER, pa.int64(): ColumnType.BIGINT,
    pa.uint8(): ColumnType.SMALLINT, pa.uint16(): ColumnType.INTEGER, pa.uint32(): ColumnType.BIGINT, pa.uint64(): ColumnType.NUMERIC,
    pa.float16(): ColumnType.REAL, pa.float32(): ColumnType.REAL, pa.float64(): ColumnType.DOUBLE,
    pa.date32(): ColumnType.DATE, pa.date64(): ColumnType.DATE,
}  # fmt: skip
_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], ColumnType], ...] = (
    (pa.types.is_decimal, ColumnType.NUMERIC),
    (pa.types.is_timestamp, ColumnType.TIMESTAMPTZ),
    (pa.types.is_time, ColumnType.TIME),
    (pa.types.is_binary, ColumnType.BYTEA),
    (pa.types.is_large_binary, ColumnType.BYTEA),
    (pa.types.is_fixed_size_binary, ColumnType.BYTEA),
    (pa.types.is_nested, ColumnType.JSONB),
)
_LISTS = {
    ColumnType.BOOLEAN: ColumnType.BOOLEANS, ColumnType.SMALLINT: ColumnType.INTEGERS, ColumnType.INTEGER: ColumnType.INTEGERS,
    ColumnType.BIGINT: ColumnType.BIGINTS, ColumnType.REAL: ColumnType.DOUBLES, ColumnType.DOUBLE: ColumnType.DOUBLES,
    ColumnType.TEXT: ColumnType.TEXTS,
}  # fmt: skip


def describe(dataset: Dataset) -> Layer:
    """What the file holds: its schema says it, but for the kinds of geometries."""
    with _open(dataset) as file:
        geometry, meta = _geometry(file.schema_arrow, dataset)
        said = "crs" in meta
        kinds, rows = Kinds(), 0
        for batch in file.iter_batches(_rows(file.metadata), columns=[geometry], use_threads=False):
            kinds |= wkb.kinds(_encoded(batch.column(0), meta))
        places = []
        for group in range(file.metadata.num_row_groups):
            rows += file.metadata.row_group(group).num_rows
            places.append(Place(rows, None))
        return Layer(
            name=dataset.stem,
            columns=[SourceColumn(field.name, column_type(field.type)) for field in _attributes(file.schema_arrow, geometry, meta)],
            kinds=kinds,
            features=rows,
            records=rows,
            crs=(None if meta["crs"] is None else json.dumps(meta["crs"])) if said else "EPSG:4326",
            crs_is_default=not said,
            encoding=None,
            fid_column="",
            places=places,
        )


def read(dataset: Dataset, plan: VectorPlan, chunk: Chunk, altered: Alterations) -> Generator[Batch, None, None]:
    """The rows of a chunk: ids are positions in the file, from 0."""
    with _open(dataset) as file:
        geometry, meta = _geometry(file.schema_arrow, dataset)
        fields = _attributes(file.schema_arrow, geometry, meta)
        position, groups = _groups(file.metadata, chunk)
        for batch in file.iter_batches(_rows(file.metadata), row_groups=groups, use_threads=False):
            shapes = _encoded(batch.column(geometry), meta)
            yield Batch(
                ids=pa.array(range(position, position + batch.num_rows), pa.int64()),
                geometries=shapes,
                columns=[
                    _values(batch.column(field.name), ColumnType(column.type), column.name, altered)
                    for field, column in zip(fields, plan.columns, strict=True)
                ],
                kinds=wkb.kinds(shapes),
            )
            position += batch.num_rows


def _open(dataset: Dataset) -> pq.ParquetFile:
    # Left alone, it holds a row group's whole column, as it is in the file.
    return pq.ParquetFile(dataset.path, buffer_size=_BUFFER, pre_buffer=False)


def _rows(metadata: pq.FileMetaData) -> int:
    """How many rows at a time, going by the row group whose rows are largest once they are unpacked."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    heaviest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(_ROWS, bounds.BATCH_BYTES // max(1, heaviest)))


def column_type(type_: pa.DataType) -> ColumnType:
    """The type of a table's column for a column of Arrow's; jsonb for what is nested, text for the rest."""
    if pa.types.is_dictionary(type_):
        return column_type(type_.value_type)
    if _is_list(type_):
        return _LISTS.get(column_type(type_.value_type), ColumnType.JSONB)
    for is_of, column in _FAMILIES:
        if is_of(type_):
            return column
    return _TYPES.get(type_, ColumnType.TEXT)


def _is_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def _geometry(schema: pa.Schema, dataset: Dataset) -> tuple[str, dict[str, Any]]:
    """The primary geometry column, and what the metadata says of it."""
    try:
        geo = json.loads((schema.metadata or {})[b"geo"])
        name = geo["primary_column"]
        meta = geo["columns"][name]
        if name not in schema.names or meta["encoding"].lower() not in ("wkb", *_NATIVE):
            raise KeyError(name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TaskError(
            "LAYER_NOT_SPATIAL", f"{dataset.name} is Parquet without the metadata of GeoParquet", category="data", field="source_path",
            value=dataset.name, remediation="Write it as GeoParquet, e.g. with geopandas or GDAL",
        ) from error  # fmt: skip
    return str(name), {**meta, "encoding": meta["encoding"].lower()}


def _attributes(schema: pa.Schema, geometry: str, meta: dict[str, Any]) -> list[pa.Field]:
    """The other columns, without that of the rows' boxes."""
    box = (meta.get("covering") or {}).get("bbox") or {}
    boxes = {path[0] for path in box.values()}
    return [field for field in schema if field.name != geometry and field.name not in boxes]


def _groups(metadata: pq.FileMetaData, chunk: Chunk) -> tuple[int, list[int]]:
    """The row groups of a chunk, whose bounds are theirs, and the position of the first row."""
    start, end = chunk.start or 0, metadata.num_rows if chunk.end is None else chunk.end
    position, groups = 0, []
    for group in range(metadata.num_row_groups):
        if start <= position < end:
            groups.append(group)
        position += metadata.row_group(group).num_rows
    return start, groups


def _encoded(column: pa.Array, meta: dict[str, Any]) -> pa.Array:
    """The geometries as WKB."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if meta["encoding"] == "wkb":
        return column.cast(pa.binary())
    type_, depth = _NATIVE[meta["encoding"]]
    missing = column.is_null().to_numpy(zero_copy_only=False)
    offsets: list[Any] = []
    for _ in range(depth):
        offsets.insert(0, column.offsets.to_numpy())
        column = column.values
    if pa.types.is_fixed_size_list(column.type):
        coordinates = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    else:
        coordinates = np.column_stack([column.field(axis).to_numpy(zero_copy_only=False) for axis in range(column.type.num_fields)])
    shapes = shapely.from_ragged_array(type_, coordinates, tuple(offsets) or None)
    shapes[missing] = None
    return pa.array(shapely.to_wkb(shapes), pa.binary())


def _values(column: pa.Array, type_: ColumnType, name: str, altered: Alterations) -> Values | pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type) and type_ is ColumnType.JSONB:
        return [None if value is None else Jsonb(widening.document(_plain(value), name, altered)) for value in column.to_pylist()]
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if type_ is ColumnType.TEXT and not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return [None if value is None else widening.text(str(value), name, altered) for value in column.to_pylist()]
    return arrow.values(column, type_, name, altered)


def _plain(value: Any) -> Any:
    """A nested value without what JSON has no form for."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
