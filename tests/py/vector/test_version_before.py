"""Jobs that the version before submitted, and what its workers left in the middle of them, are understood."""

from __future__ import annotations

import pytest

from codegen.messages.vector import Chunk, VectorPlan, VectorReport
from workers.registry import load_handlers

SOURCE = {
    "file": "a.gpkg", "format": "gpkg", "layer": "a", "crs": "EPSG:4326", "bytes": 1, "sha256": "0" * 64,
    "modified": "2026-01-01T00:00:00+00:00",
}  # fmt: skip
COLUMNS = [{"name": "a", "type": "integer", "original": "A"}]


@pytest.mark.parametrize(
    "task_type", ["vector_inspect", "vector_load", "vector_publish", "stac_vector", "vector_catalogue", "unpublish_withdraw"]
)
def test_its_tasks_have_handlers(task_type: str) -> None:
    assert task_type in load_handlers()


def test_its_plan_is_one_layer_that_becomes_a_table() -> None:
    chunks = [{"start": None, "end": 5}, {"start": 5, "end": None}]
    plan = VectorPlan.model_validate(
        {
            "source": SOURCE, "stamp": "s", "srid": 4326, "features": 9, "geometry_type": "POINT", "columns": COLUMNS, "batch_rows": 9,
            "chunks": chunks, "warnings": [],
        }
    )  # fmt: skip
    assert (plan.suffix, plan.more, plan.into, plan.geometry_column) == (None, [], "new", None)
    assert [Chunk.model_validate(chunk).layer for chunk in chunks] == [0, 0]


def test_its_report_is_of_a_table_that_is_in_its_place_already() -> None:
    report = VectorReport.model_validate(
        {
            "table": "geo.a", "geometry_column": "geom", "geometry_type": "POINT", "rows": 9, "read": 9, "rejected": 0, "repaired": 0,
            "bbox": [0.0, 0.0, 1.0, 1.0], "columns": COLUMNS, "source": SOURCE, "warnings": [],
        }
    )  # fmt: skip
    assert report.job_id is None, "nothing is to be swapped in"
    assert (report.suffix, report.more, report.mode) == (None, [], "create")
