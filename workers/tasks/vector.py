"""The tasks of `ingest_vector`: inspect plans and makes the staging table, load fills it, finish makes it complete.

Every one of them does its work and its completion in one transaction, so that a worker may die at any moment: what it did
is then all there, once, or not there at all. Readers see nothing of it: that is left to the catalogue (stac_vector).

The second name of a handler is what jobs that the version before submitted call it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import psycopg
from psycopg import sql

from codegen.messages.vector import Chunk, ChunkReport, IngestVectorParameters, VectorPlan, VectorReport
from workers import artefacts, stac
from workers.context import Completed, Task
from workers.errors import TaskError
from workers.geo_table import GeoTableBuilder
from workers.registry import handles
from workers.vector import crs, decide, families, keys, load, publish, reading, reject_files, reuse, shared
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
    mark = publish.Mark(asked.client_id, asked.request_id, asked.revision, task.claimed.job_id)
    with task.effects() as effects:
        fingerprint, software = reuse.recipe(effects.connection, seen[0].source)
        if (reused := reuse.find(task, effects, seen[0].source.modified, fingerprint, software)) is not None:
            return effects.complete({"chunks": [], "reused": reused})
        plans = []
        for number, (one, suffix) in enumerate(decide.tables(seen, asked)):
            table = _table(task, suffix)
            if suffix is not None:
                reserve = "SELECT platform.reserve_layer_table(%s, %s, %s)"
                effects.connection.execute(reserve, (task.claimed.task_id, task.claimed.attempt, table))
            if asked.mode in decide.MERGING:
                shared.own(effects.connection, publish.SCHEMA, table)
            there = decide.existing(effects.connection, table, mark, asked.mode)
            builder, columns, decided = decide.decide(effects.connection, one, asked, there)
            staging = publish.staging_name(task.claimed.job_id, number)
            shared.clear(effects.connection, publish.SCHEMA, staging)
            effects.connection.execute(
                builder.create_table(columns, decided.geometry_type, staging, publish.SCHEMA, srid=decided.target_srid)
            )
            if asked.key_columns:
                keys.add_row_column(effects.connection, publish.SCHEMA, staging)
            publish.hand_over(effects.connection, staging)
            plans.append(decided.model_copy(update={"suffix": suffix}))
        chunks = [chunk.model_copy(update={"layer": number}) for number, decided in enumerate(plans) for chunk in decided.chunks]
        more = [decided.model_copy(update={"chunks": []}) for decided in plans[1:]]
        artefacts.use(effects.connection, task, fingerprint, software)
        return effects.complete(plans[0].model_copy(update={"chunks": chunks, "more": more}).model_dump(mode="json"))


@handles("vector_chunk", IngestVectorParameters)
@handles("vector_load", IngestVectorParameters)
def load_chunk(task: Task[IngestVectorParameters]) -> Completed:
    """Load the features of one chunk: each becomes a row or a reject."""
    chunk = Chunk.model_validate(task.item)
    plans = _plans(task)
    numbers, decided = _tables_of(plans, chunk), plans[chunk.layer]
    altered = Alterations()
    with _dataset(task) as dataset:
        _require_same(dataset, decided)
        with task.effects() as effects:
            connection = effects.connection
            columns = decide.columns_of(decided)
            said = decided.source.crs_wkt or decided.source.crs
            origin = load.From(decided.srid, said, crosses=crs.crosses_antimeridian(said))
            targets = [
                load.Target(
                    schema=publish.SCHEMA,
                    table=publish.staging_name(task.claimed.job_id, number),
                    geometry_column=_builder(task, decided).geometry_column.value,
                    geometry_type=plans[number].geometry_type,
                    columns=columns,
                    constants=_constants(task, plans[number]),
                    keeps_row=bool(task.parameters.key_columns),
                    crs=crs.of_table(f"EPSG:{decided.target_srid}"),
                )
                for number in numbers
            ]
            load.prepare(connection, columns)
            parts: list[list[ChunkReport]] = [[] for _ in targets]
            for batch in ahead(reading.read(dataset, decided, chunk, altered)):
                for position, rows in families.sort(batch, [plans[number].family for number in numbers]):
                    task.check()
                    part = load.insert(connection, targets[position], origin, *load.stage(connection, columns, [rows]))
                    if part.read != part.inserted + part.rejected:
                        raise _unreconciled(f"{part.read} features were read, {part.inserted} inserted and {part.rejected} rejected")
                    if part.rejected:
                        load.record(connection, task.claimed.task_id, task.claimed.attempt, _origin(decided))
                    parts[position].append(part)
                    load.clear(connection)
            report, *more = map(words.total, parts)
            return effects.complete(report.model_copy(update={"altered": altered.listed(), "more": more}).model_dump(mode="json"))


@handles("vector_finish_v2", IngestVectorParameters)
@handles("vector_finish", IngestVectorParameters)
@handles("vector_publish", IngestVectorParameters)
def finish(task: Task[IngestVectorParameters]) -> Completed | dict[str, Any]:
    """Reconcile the counts and complete the table: all that can be done before readers see it."""
    reused: dict[str, Any] | None = (task.results(INSPECT)[0].result_data or {}).get("reused")
    if reused is not None:
        return reused
    plans, totals = _plans(task), _totals(task)
    with task.effects() as effects:
        reports = []
        for number, decided, total in _settled(task.parameters, plans, totals):
            staging = publish.staging_name(task.claimed.job_id, number)
            if total is None:
                effects.connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(publish.SCHEMA, staging)))
            else:
                finished = _finished(task, effects.connection, decided, staging, total)
                reports.append(finished if decided.family is None else finished.model_copy(update={"number": number}))
        files = reject_files.publish(task, effects.connection) if any(report.rejected for report in reports) else []
        report = reports[0].model_copy(update={"reject_files": files, "more": reports[1:]})
        warnings = [warning for one in reports for warning in one.warnings]
        return effects.complete({"vector": report.model_dump(mode="json", exclude_none=True), "warnings": warnings})


def _totals(task: Task[IngestVectorParameters]) -> list[ChunkReport]:
    """What became of the features that were read for each table."""
    plans, by_table = _plans(task), defaultdict[int, list[ChunkReport]](list)
    for part in task.results(LOAD):
        report = ChunkReport.model_validate(part.result_data)
        for number, one in zip(_tables_of(plans, plans[0].chunks[part.task_index]), [report, *report.more], strict=True):
            by_table[number].append(one)
    return [words.total(by_table[number]) for number in range(len(plans))]


def _settled(
    asked: IngestVectorParameters, plans: list[VectorPlan], totals: list[ChunkReport]
) -> Iterator[tuple[int, VectorPlan, ChunkReport | None]]:
    """Each table's number, plan and counts; no counts where it is not to be.

    The counts of a layer that was split are judged together. Of its tables those without a row are left out: what was read
    for them, all of it rejected, counts with the first of the others, and so does what is to be said of the layer.
    """
    for _, group in groupby(range(len(plans)), key=lambda number: plans[number].source.layer):
        numbers = list(group)
        if len(numbers) > 1:
            _judge(asked, plans[numbers[0]], words.total(totals[number] for number in numbers))
        kept = [number for number in numbers if totals[number].inserted] or numbers[:1]
        for number in numbers:
            decided, total = plans[number], totals[number]
            if number == kept[0]:
                total = words.total([total, *(totals[other] for other in numbers if other not in kept)])
                decided = decided.model_copy(update={"warnings": plans[numbers[0]].warnings})
            if len(numbers) > 1:
                decided = decided.model_copy(update={"features": None})
            yield number, decided, total if number in kept else None


def _finished(
    task: Task[IngestVectorParameters], connection: psycopg.Connection[Any], decided: VectorPlan, staging: str, total: ChunkReport
) -> VectorReport:
    """A table made complete, and its report."""
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
    """A plan for each table that is loaded, in order."""
    first = VectorPlan.model_validate(task.results(INSPECT)[0].result_data)
    return [first, *first.more]


def _tables_of(plans: list[VectorPlan], chunk: Chunk) -> list[int]:
    """The tables that a chunk's features go to: one, or those of a layer that is split."""
    first = plans[chunk.layer]
    split = [number for number, one in enumerate(plans) if one.family is not None and one.source.layer == first.source.layer]
    return split or [chunk.layer]


def _table(task: Task[IngestVectorParameters], suffix: str | None) -> str:
    """The table of a layer, by the request's name for it."""
    return publish.layer_table(task.parameters.table_name, suffix)


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
