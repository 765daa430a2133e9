"""What a layer holds: columns and their types, geometries, number of features, CRS, the encoding of its text."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyogrio

from workers.errors import TaskError
from workers.geo_table import ColumnType, SourceColumn
from workers.vector import formats, wkb
from workers.vector.formats import Format
from workers.vector.source import Dataset
from workers.vector.wkb import Kinds

_MULTI = ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"]
_SAMPLE = 4 * 1024 * 1024
_SCAN_ROWS = 10_000

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


@dataclass(frozen=True)
class Layer:
    """One layer of a dataset."""

    name: str
    columns: list[SourceColumn]
    kinds: Kinds
    features: int | None
    """None where only reading it would tell."""
    records: int
    """Features, counting deleted ones: ids of a shapefile are below it."""
    crs: str | None
    crs_is_default: bool
    encoding: str | None
    """To read text with, where the file does not say; None where it does."""
    fid_column: str
    others: list[str] = field(default_factory=list)
    """Layers without geometry beside it."""


def describe(dataset: Dataset, wanted: str | None) -> Layer:
    """The layer that was asked for, or the only one with geometries."""
    with dataset.reading():
        name, others = _choose(dataset, wanted)
        info: dict[str, Any] = pyogrio.read_info(dataset.path, layer=name, force_feature_count=True)
        if info["driver"] != dataset.format.driver:
            # Recognised as one format and opened as another, e.g. as GeoJSON in lines.
            raise TaskError(
                "FORMAT_NOT_SUPPORTED", f"{dataset.name} is {info['driver']}, which is not taken", category="data", field="source_path",
                value=dataset.name, remediation=f"Convert it to one of: {', '.join(one.label for one in Format)}",
            )  # fmt: skip
        declared = Kinds() if info["geometry_type"] is None else _declared(str(info["geometry_type"]))
        records = int(info["features"])
        return Layer(
            name=name,
            columns=[
                SourceColumn(str(original), column_type(ogr_type, subtype))
                for original, ogr_type, subtype in zip(info["fields"], info["ogr_types"], info["ogr_subtypes"], strict=True)
            ],
            kinds=declared if declared.types else _scan(dataset, name),
            features=_features(dataset, name, records),
            records=records,
            crs=info["crs"],
            crs_is_default=dataset.format is Format.GEOJSON and not formats.says_crs(dataset.path),
            encoding=_encoding(dataset, str(info["encoding"])),
            fid_column=str(info["fid_column"] or ""),
            others=others,
        )


def column_type(ogr_type: str, subtype: str) -> ColumnType:
    """The type of a table's column for a column of OGR's."""
    return _SUBTYPES.get((ogr_type, subtype)) or _TYPES.get(ogr_type, ColumnType.TEXT)


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
            remediation="Name one of them as processing_config.layer; a request makes one table",
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
        return records - _deleted(dataset)
    if dataset.format is Format.GEOPACKAGE:
        # The count that GDAL keeps in the file may be stale after another writer.
        _, _, _, data = pyogrio.raw.read(dataset.path, sql=f"SELECT count(*) AS n FROM {quoted(layer)}", read_geometry=False)  # noqa: S608
        return int(data[0][0])
    return records if records >= 0 else None


def quoted(name: str) -> str:
    """An identifier in SQLite's SQL."""
    return '"' + name.replace('"', '""') + '"'


def _deleted(dataset: Dataset) -> int:
    """Records of a shapefile that are marked as deleted: GDAL counts them, and does not read them."""
    path = next(one for one in (dataset.path.with_suffix(".dbf"), dataset.path.with_suffix(".DBF")) if one.exists())
    with path.open("rb") as file:
        head = file.read(32)
    records, start, length = struct.unpack_from("<IHH", head, 4)
    held = max(0, path.stat().st_size - start)
    count = min(records, held // length) if length else 0
    if not count:
        return 0
    flags = np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=(count * length,))[::length]
    return int(np.count_nonzero(flags == ord("*")))


def _encoding(dataset: Dataset, detected: str) -> str | None:
    """The encoding of a shapefile's text where neither .cpg nor the .dbf's header names one: by the bytes themselves."""
    if dataset.format is not Format.SHAPEFILE or detected == "UTF-8":
        return None
    path = next(one for one in (dataset.path.with_suffix(".dbf"), dataset.path.with_suffix(".DBF")) if one.exists())
    with path.open("rb") as file:
        start = int.from_bytes(file.read(32)[8:10], "little")
        file.seek(start)
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
