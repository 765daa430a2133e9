"""What inspect decides, before anything is written: from a dataset and what was asked to the plan that load and finish keep to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from codegen.messages.request import VectorConfig
from codegen.messages.vector import Family, PlannedColumn, SourceReport, VectorPlan
from workers.errors import TaskError
from workers.geo_table import ColumnType, GeometryColumn, GeoTableBuilder, TableColumn
from workers.vector import crs as crs_module
from workers.vector import families, keys, merge, plan, publish, reading
from workers.vector import reports as words
from workers.vector.layer import Layer
from workers.vector.source import Dataset

MERGING = ("append", "upsert")
ALL = "*"
_EMPTY = ("SOURCE_HAS_NO_FEATURES", "SOURCE_HAS_NO_GEOMETRY")
_LONGEST_SUFFIX = 30


@dataclass(frozen=True)
class Seen:
    """A layer, as its dataset shows it."""

    layer: Layer
    crs: crs_module.SourceCrs
    source: SourceReport
    stamp: str
    plan: dict[str, Any]
    """What the plan has of it already."""
    family: Family | None = None
    """Which of its features this is of, where it was split."""


def look_at_all(dataset: Dataset, asked: VectorConfig, check: Callable[[], None]) -> list[Seen]:
    """The layer that was asked for; of all of them those that hold anything."""
    with dataset.hashing(check) as digest:
        if asked.layer != ALL:
            return [look(dataset, asked, digest)]
        found: list[Seen] = []
        empty: TaskError | None = None
        for name in reading.layers(dataset):
            try:
                found.append(look(dataset, asked.model_copy(update={"layer": name}), digest))
            except TaskError as error:
                if error.detail.code not in _EMPTY:
                    raise
                empty = error
    if not found:
        raise empty or TaskError(
            "LAYER_NOT_SPATIAL", f"{dataset.name} has no layer with geometries", category="data", field="layer", value=ALL,
            remediation="Upload a layer with geometries",
        )  # fmt: skip
    return found


def tables(seen: Sequence[Seen], asked: VectorConfig) -> list[tuple[Seen, str | None]]:
    """The tables that layers become, with what names of table and item end in: one each, or one for each family of geometries."""
    named = suffixes(one.layer.name for one in seen) if asked.layer == ALL else [None]
    return [
        (part, "_".join(filter(None, [suffix, part.family])) or None)
        for one, suffix in zip(seen, named, strict=True)
        for part in (_split(one) if asked.geometry_type == families.SPLIT else [one])
    ]


def _split(seen: Seen) -> list[Seen]:
    """A part for each family that occurs. The layer is read once: the first part has the chunks."""
    found = families.occurring(seen.layer.kinds)
    if not found:
        raise TaskError(
            "GEOMETRY_TYPE_CONFLICT", f"Layer {seen.layer.name} holds {', '.join(sorted(seen.layer.kinds.types))}, which cannot be split",
            category="user", field="geometry_type", value=families.SPLIT, remediation="Leave geometry_type out",
        )  # fmt: skip
    return [replace(seen, family=family, plan=seen.plan if family == found[0] else {**seen.plan, "chunks": []}) for family in found]


def suffixes(names: Iterable[str]) -> list[str]:
    """What tables and items of layers end in: their names in lower case, [a-z0-9_] only, told apart by a number."""
    made: list[str] = []
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_LONGEST_SUFFIX] or "layer"
        number = 1
        while (suffix := plain if number == 1 else f"{plain}_{number}") in made:
            number += 1
        made.append(suffix)
    return made


def look(dataset: Dataset, asked: VectorConfig, digest: Callable[[], str]) -> Seen:
    """Describe the layer that was asked for, and cut it into parts. `digest` gives the source's SHA-256, and is asked last."""
    found = reading.describe(dataset, asked)
    if found.features == 0:
        raise TaskError(
            "SOURCE_HAS_NO_FEATURES", f"Layer {found.name} of {dataset.name} has no features", category="data", field="source_path",
            value=dataset.name, remediation="Upload a layer with features",
        )  # fmt: skip
    if not found.kinds.types:
        raise TaskError(
            "SOURCE_HAS_NO_GEOMETRY", f"No feature of layer {found.name} of {dataset.name} has a geometry", category="data",
            field="source_path", value=dataset.name, remediation="Upload a layer with geometries",
        )  # fmt: skip
    source_crs = crs_module.decide(found.crs, asked.source_crs, is_default=found.crs_is_default)
    parts = {"chunks": plan.chunks(dataset, found, asked.chunk_rows), "batch_rows": plan.batch_rows(dataset, found)}
    source = SourceReport(
        file=dataset.name,
        member=dataset.member,
        format=dataset.format.value,
        layer=found.name,
        encoding=found.encoding,
        crs=source_crs.name,
        crs_wkt=None if source_crs.code else source_crs.wkt,
        bytes=dataset.size,
        sha256=digest(),
        modified=dataset.modified.isoformat(),
    )
    return Seen(found, source_crs, source, dataset.stamp, {"features": found.features, "reading": found.reading, **parts})


def existing(connection: psycopg.Connection[Any], table: str | None, mark: publish.Mark, mode: str) -> merge.Existing | None:
    """The table that rows are to go into, where there is one and the mode is to leave it there. Refuses one that may not be written to."""
    if table is None or publish.writable(connection, table, mark, mode) is None or mode not in MERGING:
        return None
    return merge.describe(connection, publish.SCHEMA, table)


def decide(
    connection: psycopg.Connection[Any], seen: Seen, asked: VectorConfig, there: merge.Existing | None
) -> tuple[GeoTableBuilder, list[TableColumn], VectorPlan]:
    """The plan. What could be refused at the very end is refused here, before hours of loading."""
    table_builder = builder(arcgis_mode=asked.arcgis_mode, geometry_column=None if there is None else there.geometry_column)
    columns = table_builder.name_columns(seen.layer.columns, asked.column_map)
    table_builder.indexed_columns(columns, asked.indexes)
    keys.require(columns, asked.key_columns)
    # Rows go into a table in the CRS that it has, unless the request insists on another, which is refused.
    table_crs = crs_module.of_table(asked.target_crs or (None if there is None else f"EPSG:{there.srid}"))
    if seen.family is not None:
        geometry_type = plan.geometry_type(families.of(seen.layer.kinds, seen.family), None, keep_z=asked.keep_z)
    elif there is None:
        geometry_type = plan.geometry_type(seen.layer.kinds, asked.geometry_type, keep_z=asked.keep_z)
    else:
        merge.require_fit(connection, there, columns, str(asked.table_name), table_crs.srid)
        geometry_type = there.geometry_type
        plan.geometry_type(seen.layer.kinds, geometry_type.removesuffix("Z"), keep_z=False)
    decided = VectorPlan(
        source=seen.source,
        stamp=seen.stamp,
        srid=seen.crs.srid(connection),
        target_srid=table_crs.srid,
        geometry_type=geometry_type,
        geometry_column=table_builder.geometry_column.value,
        family=seen.family,
        into="new" if there is None else "existing",
        columns=[PlannedColumn(name=column.name, type=column.type.value, original=column.original) for column in columns],
        # Said once of a layer, by the table whose parts are read.
        warnings=words.of_layer(seen.layer, seen.source, geometry_type, asked.source_crs, split=seen.family is not None)
        if seen.plan["chunks"]
        else [],
        **seen.plan,
    )
    return table_builder, columns, decided


def builder(*, arcgis_mode: bool, geometry_column: str | None = None) -> GeoTableBuilder:
    """Of a table whose geometry column has this name, else the mode's."""
    return GeoTableBuilder(GeometryColumn(geometry_column or ("shape" if arcgis_mode else "geom")))


def columns_of(decided: VectorPlan) -> Sequence[TableColumn]:
    """The plan's columns, as the builder takes them."""
    return [TableColumn(column.name, ColumnType(column.type), column.original) for column in decided.columns]
