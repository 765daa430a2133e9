"""Layers that GDAL reads: what one holds, and its rows, as a stream of Arrow batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyogrio

from codegen.messages.vector import Chunk, VectorPlan
from workers import kept_memory
from workers.errors import TaskError
from workers.geo_table import ColumnType, SourceColumn
from workers.vector import arrow, bounds, gdal, wkb
from workers.vector.alterations import IMPOSSIBLE_VALUE, Alterations
from workers.vector.batches import Batch
from workers.vector.dbf import Dbf, Field
from workers.vector.formats import Format
from workers.vector.layer import Layer
from workers.vector.source import Dataset
from workers.vector.wkb import Kinds

gdal.restrict()
kept_memory.give_back()

_MULTI = ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"]
_SAMPLE = 4 * 1024 * 1024
_SCAN_ROWS = 10_000
_FINER = 8

_TYPES: dict[str, ColumnType] = {
    "OFTInteger": ColumnType.INTEGER,
    "OFTInteger64": ColumnType.BIGINT,
    "OFTReal": ColumnType.DOUBLE,
    "OFTString": ColumnType.TEXT,
    "OFTDate": ColumnType.DATE,
    "OFTTime": ColumnType.TIME,
    "OFTDateTime": ColumnType.TIMESTAMPTZ,
    "OFTBinary": ColumnType.BYTEA,
    "OFTIntegerList": ColumnType.INTEGERS,
    "OFTInteger64List": ColumnType.BIGINTS,
    "OFTRealList": ColumnType.DOUBLES,
    "OFTStringList": ColumnType.TEXTS,
}
_SUBTYPES: dict[tuple[str, str], ColumnType] = {
    ("OFTInteger", "OFSTBoolean"): ColumnType.BOOLEAN,
    ("OFTInteger", "OFSTInt16"): ColumnType.SMALLINT,
    ("OFTReal", "OFSTFloat32"): ColumnType.REAL,
    ("OFTString", "OFSTJSON"): ColumnType.JSONB,
    ("OFTIntegerList", "OFSTBoolean"): ColumnType.BOOLEANS,
}


def describe(dataset: Dataset, wanted: str | None) -> Layer:
    """The layer that was asked for, or the only one with geometries."""
    name, others = _choose(dataset, wanted)
    info: dict[str, Any] = pyogrio.read_info(dataset.path, layer=name, force_feature_count=True)
    if info["driver"] != dataset.format.driver:
        # Recognised as one format and opened as another.
        raise TaskError(
            "FORMAT_NOT_SUPPORTED", f"{dataset.name} is {info['driver']}, which is not taken", category="data", field="source_path",
            value=dataset.name, remediation=f"Convert it to one of: {', '.join(one.label for one in Format)}",
        )  # fmt: skip
    # TopoJSON has no place for a CRS, and is in degrees.
    silent = dataset.format is Format.TOPOJSON and info["crs"] is None
    declared = Kinds() if info["geometry_type"] is None else _declared(str(info["geometry_type"]))
    records = int(info["features"])
    return Layer(
        name=name,
        columns=_columns(dataset, info),
        kinds=declared if declared.types else _scan(dataset, name),
        features=_features(dataset, name, records),
        records=records,
        crs="EPSG:4326" if silent else info["crs"],
        crs_is_default=silent,
        encoding=_encoding(dataset, str(info["encoding"])),
        fid_column=str(info["fid_column"] or ""),
        others=others,
    )


def _columns(dataset: Dataset, info: dict[str, Any]) -> list[SourceColumn]:
    types = [column_type(ogr_type, subtype) for ogr_type, subtype in zip(info["ogr_types"], info["ogr_subtypes"], strict=True)]
    for position in _long_integers(dataset, len(types)):
        types[position] = ColumnType.NUMERIC
    return [SourceColumn(str(original), type_) for original, type_ in zip(info["fields"], types, strict=True)]


def _long_integers(dataset: Dataset, columns: int) -> dict[int, Field]:
    """Columns of a shapefile, by position, of which GDAL makes floats."""
    fields = Dbf(dataset.path).fields if dataset.format is Format.SHAPEFILE else []
    return {position: field for position, field in enumerate(fields) if field.holds_long_integers} if len(fields) == columns else {}


def column_type(ogr_type: str, subtype: str) -> ColumnType:
    """The type of a table's column for a column of OGR's."""
    return _SUBTYPES.get((ogr_type, subtype)) or _TYPES.get(ogr_type, ColumnType.TEXT)


def spatial_layers(dataset: Dataset) -> list[str]:
    """The names of the layers with geometries."""
    return [str(name) for name, kind in pyogrio.list_layers(dataset.path) if kind is not None]


def _choose(dataset: Dataset, wanted: str | None) -> tuple[str, list[str]]:
    layers = {str(name): kind for name, kind in pyogrio.list_layers(dataset.path)}
    spatial = [name for name, kind in layers.items() if kind is not None]
    plain = [name for name, kind in layers.items() if kind is None]
    # In an archive, `layer` may have named the file.
    file_names = (dataset.path.stem, dataset.path.name)
    chosen = next(iter(layers)) if wanted not in layers and wanted in file_names and len(layers) == 1 else wanted
    if chosen is not None and chosen not in layers:
        raise TaskError(
            "LAYER_NOT_FOUND", f"{dataset.name} has no layer {chosen}", category="user", field="layer", value=chosen,
            remediation=f"Use one of: {_listed(spatial)}",
        )  # fmt: skip
    if (chosen is None and not spatial) or chosen in plain:
        raise TaskError(
            "LAYER_NOT_SPATIAL", f"{dataset.name} has no geometry in {_listed([chosen] if chosen else plain)}", category="data",
            field="layer", value=chosen, remediation=f"Use one of: {_listed(spatial)}" if spatial else "Upload a layer with geometries",
        )  # fmt: skip
    if chosen is None and len(spatial) > 1:
        raise TaskError(
            "LAYER_AMBIGUOUS", f"{dataset.name} has {len(spatial)} layers: {_listed(spatial)}", category="user", field="layer",
            remediation="Name one of them as processing_config.layer, or all by *: a table each",
        )  # fmt: skip
    return chosen or spatial[0], plain


def _listed(names: list[str]) -> str:
    return ", ".join(names[:50]) + (f" and {len(names) - 50} more" if len(names) > 50 else "")


def _declared(geometry_type: str) -> Kinds:
    """What a layer says of itself, where that is worth anything: no kinds for a mixture or a collection."""
    base, _, suffix = geometry_type.upper().removeprefix("2.5D ").partition(" ")
    return Kinds(frozenset({base}), "Z" in suffix) if base in _MULTI else Kinds()


def _scan(dataset: Dataset, layer: str) -> Kinds:
    """The kinds that a layer really holds: every header is looked at, no geometry is parsed."""
    found = Kinds()
    options: dict[str, Any] = {"layer": layer, "columns": [], "batch_size": _SCAN_ROWS, "use_pyarrow": True}
    with pyogrio.raw.open_arrow(dataset.path, **options) as (_, reader):
        for batch in reader:
            found |= wkb.kinds(batch.column(batch.num_columns - 1))
    return found


def _features(dataset: Dataset, layer: str, records: int) -> int | None:
    if dataset.format is Format.SHAPEFILE:
        return records - Dbf(dataset.path).deleted()
    if dataset.format is Format.GEOPACKAGE:
        # The count that GDAL keeps in the file may be stale after another writer.
        _, _, _, data = pyogrio.raw.read(dataset.path, sql=f"SELECT count(*) AS n FROM {quoted(layer)}", read_geometry=False)  # noqa: S608
        return int(data[0][0])
    return records if records >= 0 else None


def quoted(name: str) -> str:
    """An identifier in SQLite's SQL."""
    return '"' + name.replace('"', '""') + '"'


def _encoding(dataset: Dataset, detected: str) -> str | None:
    """The encoding of a shapefile's text where neither .cpg nor the .dbf's header names one: by the bytes themselves."""
    if dataset.format is not Format.SHAPEFILE or detected == "UTF-8":
        return None
    table = Dbf(dataset.path)
    with table.path.open("rb") as file:
        file.seek(table.start)
        sample = file.read(_SAMPLE)
    if sample.isascii():
        # The same in every encoding; what lies beyond the sample may not be.
        return None if len(sample) < _SAMPLE else detected
    try:
        # Text is cut at its column's width, so what is broken may be one character; a column of Latin-1 is full of it.
        sample.decode("utf-8")
    except UnicodeDecodeError:
        # Only Windows' own has printable characters between 0x80 and 0x9f.
        return "CP1252" if any(0x80 <= byte <= 0x9F for byte in set(sample)) else "ISO-8859-1"
    return "UTF-8"


def read(dataset: Dataset, plan: VectorPlan, chunk: Chunk, altered: Alterations) -> Generator[Batch, None, None]:
    """The rows of a chunk. The file is opened when the first batch is asked for and closed after the last."""
    options: dict[str, Any] = {
        "layer": plan.source.layer,
        "encoding": plan.source.encoding,
        "return_fids": True,
        "batch_size": _rows(dataset, plan),
        "use_pyarrow": True,
        # Arrow has one zone a column, and GDAL drops the zones of a column that has several.
        "datetime_as_string": True,
        **_part(dataset, plan, chunk),
    }
    with pyogrio.raw.open_arrow(dataset.path, **options) as (meta, reader):
        if [str(name) for name in meta["fields"]] != [column.original for column in plan.columns]:
            raise TaskError(
                "SOURCE_CHANGED", f"{dataset.name} has other columns than it had when it was inspected", category="user",
                field="source_path", value=dataset.name, remediation="Submit the request again when the file is complete",
            )  # fmt: skip
        moved, long = _moved_days(dataset, plan, chunk), _long_integers(dataset, len(plan.columns))
        for whole in _gathered(reader, plan.batch_rows):
            batch = whole if dataset.format is not Format.SHAPEFILE or chunk.end is None else _before(whole, chunk.end)
            if batch.num_rows:
                converted = _converted(batch, plan, altered)
                for position, field in long.items():
                    converted.columns[position] = list(Dbf(dataset.path).integers(field, converted.ids.to_pylist()))
                for position, ids in moved.items():
                    _take_out(converted, position, ids, plan.columns[position].name, altered)
                yield converted
            if batch.num_rows < whole.num_rows:
                return


def _rows(dataset: Dataset, plan: VectorPlan) -> int:
    """How many features GDAL is to read at a time. But for GeoPackages it holds them all before it looks at their bytes."""
    return plan.batch_rows if dataset.format is Format.GEOPACKAGE else max(1, plan.batch_rows // _FINER)


def _gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Small batches put together, to as many rows or a full batch's bytes."""
    held: list[pa.RecordBatch] = []
    held_rows = held_bytes = 0
    for batch in batches:
        held.append(batch)
        held_rows, held_bytes = held_rows + batch.num_rows, held_bytes + batch.nbytes
        if held_rows >= rows or held_bytes >= bounds.BATCH_BYTES:
            yield from _together(held)
            held, held_rows, held_bytes = [], 0, 0
    yield from _together(held)


def _together(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return batches if len(batches) < 2 else pa.Table.from_batches(batches).combine_chunks().to_batches()


def feature_ids(dataset: Dataset, layer: Layer, size: int) -> list[int]:
    """Every `size`th feature id of a GeoPackage's table; ids may have gaps of any width, and only then each is looked at."""
    fid, table = quoted(layer.fid_column), quoted(layer.name)
    # Apart, each is a look at one end of the index.
    ends = ", ".join(f"CAST((SELECT {end}({fid}) FROM {table}) AS TEXT) AS {end}" for end in ("min", "max"))  # noqa: S608
    numbered = f"SELECT {fid} + 0 AS id, row_number() OVER (ORDER BY {fid}) AS n FROM {table}"  # noqa: S608
    with dataset.reading():
        # As text: GDAL takes the width of the first integer for that of all, and cuts the others down to it.
        _, _, _, data = pyogrio.raw.read(dataset.path, sql=f"SELECT {ends}", read_geometry=False)
        first, last = (int(one[0]) for one in data)
        if last - first + 1 == layer.features:
            return list(range(first + size, last + 1, size))
        _, _, _, data = pyogrio.raw.read(
            dataset.path,
            sql=f"SELECT CAST(id AS TEXT) AS id FROM ({numbered}) WHERE n > 1 AND n % {int(size)} = 1",  # noqa: S608
            read_geometry=False,
        )
    return sorted(int(one) for one in data[0])


def _moved_days(dataset: Dataset, plan: VectorPlan, chunk: Chunk) -> dict[int, set[int]]:
    """Features with a day that does not exist, by the position of the column: GDAL reads 2024-02-30 as March 1st."""
    dates = [position for position, column in enumerate(plan.columns) if column.type == ColumnType.DATE.value]
    if dates and dataset.format is Format.SHAPEFILE:
        table = Dbf(dataset.path)
        if len(table.fields) == len(plan.columns):
            return {position: table.impossible_days(table.fields[position], chunk.start or 0, chunk.end) for position in dates}
    if dates and dataset.format is Format.GEOPACKAGE:
        fid = str(pyogrio.read_info(dataset.path, layer=plan.source.layer)["fid_column"])
        with closing(sqlite3.connect(f"file:{quote(str(dataset.path))}?mode=ro", uri=True)) as connection:
            return {
                position: _moved_in_geopackage(connection, plan.source.layer, fid, plan.columns[position].original, chunk)
                for position in dates
                if fid
            }
    return {}


def _moved_in_geopackage(connection: sqlite3.Connection, layer: str, fid: str, column: str, chunk: Chunk) -> set[int]:
    # The number of such a day is another day's, which is how it shows. Every month has the days up to 28.
    statement = f"""
        SELECT {quoted(fid)} FROM {quoted(layer)}
         WHERE substr({quoted(column)}, 9, 2) > '28'
           AND date(julianday({quoted(column)})) <> substr({quoted(column)}, 1, 10)
           AND {quoted(fid)} >= ? AND {quoted(fid)} < ?
    """  # noqa: S608
    bounds = (-(2**63) if chunk.start is None else chunk.start, 2**63 - 1 if chunk.end is None else chunk.end)
    return {int(one) for (one,) in connection.execute(statement, bounds)}


def _take_out(batch: Batch, position: int, ids: set[int], name: str, altered: Alterations) -> None:
    column = batch.columns[position]
    moved = pc.is_in(batch.ids, value_set=pa.array(sorted(ids), pa.int64()))
    if found := pc.sum(moved).as_py():
        dates = column if isinstance(column, pa.Array) else pa.array(column, pa.date32())
        batch.columns[position] = pc.if_else(moved, pa.scalar(None, dates.type), dates)
        altered.add(IMPOSSIBLE_VALUE, name, found)


def _part(dataset: Dataset, plan: VectorPlan, chunk: Chunk) -> dict[str, Any]:
    """How to come to a chunk without reading what is before it."""
    if chunk.start is None and chunk.end is None:
        return {}
    if dataset.format is Format.SHAPEFILE:
        start, end = chunk.start or 0, chunk.end
        rows = _rows(dataset, plan)
        return {"skip_features": start, "batch_size": rows if end is None else max(1, min(rows, end - start))}
    fid = quoted(str(pyogrio.read_info(dataset.path, layer=plan.source.layer)["fid_column"]))
    bounds = [f"{fid} >= {chunk.start}"] if chunk.start is not None else []
    bounds += [f"{fid} < {chunk.end}"] if chunk.end is not None else []
    return {"where": " AND ".join(bounds)}


def _before(batch: pa.RecordBatch, end: int) -> pa.RecordBatch:
    return batch.filter(pc.less(batch.column(0), end))


def _converted(batch: pa.RecordBatch, plan: VectorPlan, altered: Alterations) -> Batch:
    # By position, since names may be there twice: the id, the columns in order, the geometry.
    geometry = batch.column(batch.num_columns - 1)
    if isinstance(geometry, pa.ExtensionArray):
        geometry = geometry.storage
    ids, kinds = batch.column(0), wkb.kinds(geometry)
    if kinds.surfaces:
        geometry = pa.array([None if one is None else wkb.flattened(one) for one in geometry.to_pylist()], geometry.type)
    return Batch(
        ids=ids,
        geometries=geometry,
        columns=[
            arrow.values(batch.column(position), ColumnType(column.type), column.name, altered)
            for position, column in enumerate(plan.columns, start=1)
        ],
        kinds=kinds,
    )
