"""Read a file of the worker's as a load does, and print by how many megabytes that raised the most memory this process has had."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg

from codegen.messages.request import VectorConfig
from codegen.messages.vector import Chunk, PlannedColumn, SourceReport, VectorPlan
from workers.vector import bounds, copying, decide, formats, plan, reading
from workers.vector.ahead import ahead
from workers.vector.alterations import Alterations
from workers.vector.source import Dataset


def peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def main(path: Path) -> None:
    parts = [one for one in (path, path.with_suffix(".shx"), path.with_suffix(".dbf")) if one.exists()]
    dataset = Dataset(path, formats.require(path, path.name), path.name, None, tuple(parts))
    before = peak()
    seen = decide.look(dataset, VectorConfig(), lambda: "0" * 64)
    columns = decide.builder(arcgis_mode=False).name_columns(seen.layer.columns)
    decided = VectorPlan(
        source=SourceReport.model_validate(seen.source),
        stamp=seen.stamp,
        srid=4326,
        geometry_type=plan.geometry_type(seen.layer.kinds, None, keep_z=False),
        geometry_column="geom",
        columns=[PlannedColumn(name=one.name, type=one.type.value, original=one.original) for one in columns],
        warnings=[],
        **seen.plan,
    )
    oids = [psycopg.adapters.types[one.type.value].oid for one in columns]
    rows, most = 0, 0
    for chunk in seen.plan["chunks"]:
        for batch in ahead(reading.read(dataset, decided, Chunk.model_validate(chunk), Alterations())):
            most = max(most, sum(map(len, copying.pieces(batch, oids))))
            rows += len(batch.ids)
    sys.stdout.write(f"{rows} {most / bounds.BATCH_BYTES:.2f} {peak() - before:.0f}\n")


main(Path(sys.argv[1]))
