"""vector_report: what an ingest would do, and a sample of what would stand in its way. Nothing is written but the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from codegen.messages.vector import InspectVectorParameters, VectorPlan
from workers.context import Completed, Task
from workers.geo_table import GeoTableBuilder, TableColumn
from workers.registry import handles
from workers.vector import decide, keys, load, publish, reading
from workers.vector import reports as words
from workers.vector.alterations import Alterations
from workers.vector.batches import Batch
from workers.vector.source import Dataset, open_dataset

SAMPLE_ROWS = 20_000
MOST_PROBLEMS = 100
_TRIAL, _TEMPORARY = "vector_trial", "pg_temp"


@handles("vector_report", InspectVectorParameters)
def report(task: Task[InspectVectorParameters]) -> Completed:
    """Plan as inspect does, and load the first rows into a temporary table."""
    asked = task.parameters
    mark = publish.Mark(asked.client_id, asked.request_id, asked.revision, task.claimed.job_id)
    with open_dataset(task.storage, asked.source_path, asked.source_roots, asked.layer) as dataset:
        with dataset.hashing(task.check) as digest:
            seen = decide.look(dataset, asked, digest)
        with task.effects() as effects:
            there = decide.existing(effects.connection, asked.table_name, mark, asked.mode)
            builder, columns, decided = decide.decide(effects.connection, seen, asked, there)
            told = {
                "source": decided.source.model_dump(mode="json", exclude_none=True),
                "features": decided.features,
                "geometry_column": decided.geometry_column,
                "geometry_type": decided.geometry_type,
                "columns": [column.model_dump() for column in decided.columns],
                "into": decided.into,
                "tasks": len(decided.chunks),
                "sample": _sample(task, dataset, effects.connection, builder, columns, decided),
            }
            return effects.complete({"inspection": told, "warnings": decided.warnings})


def _sample(
    task: Task[InspectVectorParameters],
    dataset: Dataset,
    connection: psycopg.Connection[Any],
    builder: GeoTableBuilder,
    columns: list[TableColumn],
    decided: VectorPlan,
) -> dict[str, Any]:
    """What becomes of the first rows: counts as those of an ingest, and the first of those that would be rejected."""
    asked, altered = task.parameters, Alterations()
    load.prepare(connection, columns)
    rows, kinds = load.stage(connection, columns, _first(reading.read(dataset, decided, decided.chunks[0], altered)))
    connection.execute(builder.create_table(columns, decided.geometry_type, _TRIAL, _TEMPORARY))
    target = load.Target(
        schema=_TEMPORARY,
        table=_TRIAL,
        geometry_column=builder.geometry_column.value,
        geometry_type=decided.geometry_type,
        columns=columns,
        constants={"etl_batch_id": "0"},
        keeps_row=bool(asked.key_columns),
    )
    if asked.key_columns:
        keys.add_row_column(connection, _TEMPORARY, _TRIAL)
    origin = load.From(decided.srid, decided.source.crs_wkt or decided.source.crs)
    total = load.insert(connection, target, origin, rows, kinds).model_copy(update={"altered": altered.listed()})
    rejects = [load.REJECTED_ROWS]
    if asked.key_columns:
        total = words.less(total, keys.sort_out(connection, _TEMPORARY, _TRIAL, columns, asked.key_columns))
        rejects.append(sql.SQL("{}").format(keys.UNKEYED))
    return {
        **total.model_dump(mode="json", exclude={"inserted"}),
        "usable": total.inserted,
        "warnings": words.of_rows(total),
        "problems": [problem for relation in rejects for problem in _problems(connection, relation)][:MOST_PROBLEMS],
    }


def _first(batches: Iterator[Batch]) -> Iterator[Batch]:
    rows = 0
    for batch in batches:
        yield batch
        rows += len(batch.ids)
        if rows >= SAMPLE_ROWS:
            return


def _problems(connection: psycopg.Connection[Any], rejects: sql.Composable) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        query = sql.SQL('SELECT r."ROW" AS source_row, r.code, r.reason, r.properties FROM {} AS r ORDER BY 1 LIMIT {}')
        return cursor.execute(query.format(rejects, sql.Literal(MOST_PROBLEMS))).fetchall()
