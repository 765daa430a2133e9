"""The tasks of `ingest_vector`: inspect plans and makes the staging table, load fills it, finish makes it complete.

Every one of them does its work and its completion in one transaction, so that a worker may die at any moment: what it did
is then all there, once, or not there at all. Readers see nothing of it: that is left to the catalogue (stac_vector).

The second name of a handler is what jobs that the version before submitted call it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from codegen.messages.vector import Chunk, ChunkReport, IngestVectorParameters, VectorPlan, VectorReport
from workers import stac
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.geo_table import GeoTableBuilder, bounded
from workers.registry import handles
from workers.vector import crs, decide, keys, load, publish, reading, reject_files
from workers.vector import reports as words
from workers.vector.ahead import ahead
from workers.vector.alterations import Alterations
from workers.vector.formats import Format
from workers.vector.source import Dataset, open_dataset

INSPECT, LOAD = 1, 2


@handles("vector_plan", IngestVectorParameters)
@handles("vector_inspect", IngestVectorParameters)
def inspect(task: Task[IngestVectorParameters]) -> Completed:
    """Decide everything that load and finish keep to, and make the table that rows are loaded into."""
    asked = task.parameters
    with _dataset(task) as dataset:
        seen = decide.look_at_all(dataset, asked, task.check)
    suffixes = decide.suffixes(one.layer.name for one in seen) if asked.layer == decide.ALL else [None]
    mark = publish.Mark(asked.client_id, asked.request_id, asked.revision, task.claimed.job_id)
    with task.effects() as effects:
        plans = []
        for number, (one, suffix) in enumerate(zip(seen, suffixes, strict=True)):
            table = _table(task, suffix)
            if suffix is not None:
                reserve = "SELECT platform.reserve_layer_table(%s, %s, %s)"
                effects.connection.execute(reserve, (task.claimed.task_id, task.claimed.attempt, table))
            there = decide.existing(effects.connection, table, mark, asked.mode)
            builder, columns, decided = decide.decide(effects.connection, one, asked, there)
            staging = publish.staging_name(task.claimed.job_id, number)
            # Left behind where app was rebuilt under a running job: nobody else can have this name.
            effects.connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(publish.SCHEMA, staging)))
            effects.connection.execute(
                builder.create_table(columns, decided.geometry_type, staging, publish.SCHEMA, srid=decided.target_srid)
            )
            if asked.key_columns:
                keys.add_row_column(effects.connection, publish.SCHEMA, staging)
            publish.hand_over(effects.connection, staging)
            plans.append(decided.model_copy(update={"suffix": suffix}))
        chunks = [chunk.model_copy(update={"layer": number}) for number, decided in enumerate(plans) for chunk in decided.chunks]
        more = [decided.model_copy(update={"chunks": []}) for decided in plans[1:]]
        return effects.complete(plans[0].model_copy(update={"chunks": chunks, "more": more}).model_dump(mode="json"))


@handles("vector_chunk", IngestVectorParameters)
@handles("vector_load", IngestVectorParameters)
def load_chunk(task: Task[IngestVectorParameters]) -> Completed:
    """Load the features of one chunk: each becomes a row or a reject."""
    chunk = Chunk.model_validate(task.item)
    decided = _plans(task)[chunk.layer]
    altered = Alterations()
    with _dataset(task) as dataset:
        _require_same(dataset, decided)
        with task.effects() as effects:
            connection = effects.connection
            columns = decide.columns_of(decided)
            said = decided.source.crs_wkt or decided.source.crs
            origin = load.From(decided.srid, said, crosses=crs.crosses_antimeridian(said))
            target = load.Target(
                schema=publish.SCHEMA,
                table=publish.staging_name(task.claimed.job_id, chunk.layer),
                geometry_column=_builder(task, decided).geometry_column.value,
                geometry_type=decided.geometry_type,
                columns=columns,
                constants=_constants(task, decided),
                keeps_row=bool(task.parameters.key_columns),
                crs=crs.of_table(f"EPSG:{decided.target_srid}"),
            )
            load.prepare(connection, columns)
            parts = []
            for batch in ahead(reading.read(dataset, decided, chunk, altered)):
                task.check()
                part = load.insert(connection, target, origin, *load.stage(connection, columns, [batch]))
                if part.read != part.inserted + part.rejected:
                    raise _unreconciled(f"{part.read} features were read, {part.inserted} inserted and {part.rejected} rejected")
                if part.rejected:
                    load.record(connection, task.claimed.task_id, task.claimed.attempt, _origin(decided))
                parts.append(part)
                load.clear(connection)
            report = words.total(parts).model_copy(update={"altered": altered.listed()})
            return effects.complete(report.model_dump(mode="json"))


@handles("vector_finish", IngestVectorParameters)
@handles("vector_publish", IngestVectorParameters)
def finish(task: Task[IngestVectorParameters]) -> Completed:
    """Reconcile the counts and complete the table: all that can be done before readers see it."""
    plans, parts = _plans(task), task.results(LOAD)
    chunks = plans[0].chunks
    with task.effects() as effects:
        reports = [
            _finished(
                task,
                effects.connection,
                decided,
                publish.staging_name(task.claimed.job_id, number),
                words.total(ChunkReport.model_validate(part.result_data) for part in parts if chunks[part.task_index].layer == number),
            )
            for number, decided in enumerate(plans)
        ]
        files = reject_files.publish(task, effects.connection) if any(report.rejected for report in reports) else []
        report = reports[0].model_copy(update={"reject_files": files, "more": reports[1:]})
        warnings = [warning for one in reports for warning in one.warnings]
        return effects.complete({"vector": report.model_dump(mode="json", exclude_none=True), "warnings": warnings})


def _finished(
    task: Task[IngestVectorParameters], connection: psycopg.Connection[Any], decided: VectorPlan, staging: str, total: ChunkReport
) -> VectorReport:
    """One layer's table made complete, and its report."""
    asked, builder, columns = task.parameters, _builder(task, decided), decide.columns_of(decided)
    held = publish.contents(connection, staging, builder.geometry_column.value)
    if held.rows != total.inserted:
        raise _unreconciled(f"{total.inserted} rows were inserted, and the table has {held.rows}")
    if asked.key_columns:
        unkeyed = keys.sort_out(connection, publish.SCHEMA, staging, columns, asked.key_columns)
        total = words.less(total, unkeyed)
        if unkeyed:
            load.record(connection, task.claimed.task_id, task.claimed.attempt, _origin(decided), keys.UNKEYED)
            held = publish.contents(connection, staging, builder.geometry_column.value)
    _judge(asked, decided, total)
    if held.bbox is None:
        raise TaskError(
            "SOURCE_HAS_NO_GEOMETRY", "No row has a geometry", category="data", field="source_path", value=decided.source.file,
            remediation="Upload a layer with geometries",
        )  # fmt: skip
    if decided.into == "new":
        publish.complete(connection, builder, columns, staging, asked.indexes, asked.key_columns, task.check)
    return VectorReport(
        table=f"{publish.SCHEMA}.{_table(task, decided.suffix)}",
        suffix=decided.suffix,
        job_id=task.claimed.job_id,
        indexes=builder.indexed_columns(columns, asked.indexes),
        mode=asked.mode,
        key_columns=asked.key_columns,
        swapped=decided.into == "new",
        geometry_column=builder.geometry_column.value,
        srid=decided.target_srid,
        geometry_type=decided.geometry_type,
        rows=held.rows,
        read=total.read,
        rejected=total.rejected,
        repaired=total.repaired,
        bbox=held.bbox,
        columns=decided.columns,
        source=decided.source,
        warnings=[*decided.warnings, *words.of_rows(total)],
    )


def _judge(asked: IngestVectorParameters, decided: VectorPlan, total: ChunkReport) -> None:
    """What a count means: whether everything was read, and whether the rejects are too many."""
    if decided.features is not None and total.read != decided.features:
        raise _unreconciled(f"the layer has {decided.features} features, {total.read} were read")
    few = asked.max_rejects is None or total.rejected <= asked.max_rejects
    if total.rejected and (asked.on_reject == "fail" or not few or total.inserted == 0):
        why = (
            "on_reject is fail" if asked.on_reject == "fail"
            else f"max_rejects is {asked.max_rejects}" if not few
            else "nothing is left"
        )  # fmt: skip
        raise TaskError(
            "ROWS_REJECTED", f"{total.rejected} of {total.read} features were rejected, and {why}", category="data", field="source_path",
            value=decided.source.file, context={"reasons": total.reasons},
            remediation="Read the reasons with platform.get_rejects and mend the file, or allow the rejects by on_reject and max_rejects",
        )  # fmt: skip


def _unreconciled(what: str) -> TaskError:
    return TaskError(
        "COUNTS_DIFFER", f"The counts do not agree: {what}", category="system",
        remediation="Retry the request; report it if it happens again",
    )  # fmt: skip


@contextmanager
def _dataset(task: Task[IngestVectorParameters]) -> Iterator[Dataset]:
    asked = task.parameters
    with open_dataset(task.storage, asked.source_path, asked.source_roots, asked.layer) as dataset:
        yield dataset


def _require_same(dataset: Dataset, decided: VectorPlan) -> None:
    if dataset.stamp != decided.stamp:
        raise TaskError(
            "SOURCE_CHANGED", f"{dataset.name} has changed since it was inspected", category="user", field="source_path",
            value=dataset.name, remediation="Submit the request again when the file is complete",
        )  # fmt: skip


def _plans(task: Task[IngestVectorParameters]) -> list[VectorPlan]:
    """A plan for each layer that is loaded, in order."""
    first = VectorPlan.model_validate(task.results(INSPECT)[0].result_data)
    return [first, *first.more]


def _table(task: Task[IngestVectorParameters], suffix: str | None) -> str:
    """The table of a layer, by the request's name for it."""
    name = task.parameters.table_name
    return name if suffix is None else bounded(f"{name}_{suffix}")


def _builder(task: Task[IngestVectorParameters], decided: VectorPlan) -> GeoTableBuilder:
    return decide.builder(arcgis_mode=task.parameters.arcgis_mode, geometry_column=decided.geometry_column)


def _origin(decided: VectorPlan) -> str:
    source = decided.source
    return " ".join(filter(None, [source.file, source.member, source.layer if source.format == Format.GEOPACKAGE else None]))


def _constants(task: Task[IngestVectorParameters], decided: VectorPlan) -> dict[str, Any]:
    """The standard columns that all rows of a chunk share; the others have defaults."""
    return {
        "source_file": decided.source.file[-500:],
        "source_format": decided.source.format,
        "source_crs": decided.source.crs,
        "stac_item_id": stac.layer_item(task.parameters, decided.suffix),
        "stac_collection_id": task.parameters.stac_collection,
        "etl_job_id": task.claimed.job_id,
        "etl_batch_id": str(task.claimed.task_index),
    }
