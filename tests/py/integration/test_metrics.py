"""app.metrics as others read it: prometheus_client's parsers, of OpenMetrics and of the older text format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client import parser as prometheus
from prometheus_client.openmetrics import parser as openmetrics
from psycopg.types.json import Jsonb

WORK = Jsonb([{"fan_out": "count", "path": "$.n", "failure_policy": "continue", "max_attempts": 1}])
ERROR = {"code": "TEST_FAILURE", "category": "data", "message": "as the test wants it"}
NASTY = 'C:\\data, "and"\nso on'


@pytest.fixture
def worked(engine_database: Any) -> Any:
    """Seven tasks completed, two failed, one running; a paused task type with a nasty name; all counted."""
    with engine_database.connect("superuser") as admin:
        admin.execute("SELECT tests.given_workflow('metered', %s)", (WORK,))
        admin.execute("SELECT app.submit_job('metered', '{\"n\": 10}')")
        claimed = admin.execute("SELECT task_id, attempt FROM app.turn('w1', '[]', NULL, 9)").fetchall()
        finished = [{"task_id": task, "attempt": attempt} for task, attempt in claimed]
        finished[:2] = [one | {"error": ERROR} for one in finished[:2]]
        admin.execute("SELECT task_id FROM app.turn('w1', %s, NULL, 1)", (Jsonb(finished),))
        admin.execute("SELECT app.pause_task_type(%s, 'the test wants it')", (NASTY,))
        admin.execute("SELECT tests.move_clock('15 seconds')")
        admin.execute("SELECT app.run_janitor()")
    return engine_database


def _metrics(database: Any, form: str) -> str:
    with database.connect("superuser") as admin:
        row = admin.execute("SELECT app.metrics(%s)", (form,)).fetchone()
    assert row is not None
    return str(row[0])


def _families(parser: Any, text: str) -> list[Metric]:
    return list(parser.text_string_to_metric_families(text))


def _values(families: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def _of(values: dict[Any, float], sample: str, /, **labels: str) -> float:
    return values[sample, frozenset(labels.items())]


@pytest.mark.parametrize(("form", "parse"), [("openmetrics", openmetrics), ("prometheus", prometheus)])
def test_a_parser_of_others_reads_what_happened(worked: Any, form: str, parse: Any) -> None:
    families = _families(parse, _metrics(worked, form))
    values = _values(families)
    assert _of(values, "geomill_tasks_total", task_type="work", outcome="completed") == 7
    assert _of(values, "geomill_tasks_total", task_type="work", outcome="failed") == 2
    assert _of(values, "geomill_task_failed_attempts_total", task_type="work") == 2
    assert _of(values, "geomill_task_run_seconds_count", task_type="work") == 9
    assert _of(values, "geomill_task_run_seconds_bucket", task_type="work", le="+Inf") == 9
    assert _of(values, "geomill_tasks_running", task_type="work") == 1
    assert _of(values, "geomill_jobs_open", status="processing") == 1
    assert _of(values, "geomill_workers", status="alive") == 1
    assert _of(values, "geomill_paused", kind="task_type", name=NASTY) == 1
    assert _of(values, "geomill_janitor_part_failed", part="reclaim") == 0
    assert _of(values, "geomill_component_status", component="workers") == 0


def test_every_family_is_described_once_and_has_its_type_and_unit(worked: Any) -> None:
    families = _families(openmetrics, _metrics(worked, "openmetrics"))
    assert len({family.name for family in families}) == len(families) >= 20
    assert all(family.documentation and family.type != "unknown" for family in families)
    assert {family.name for family in families if family.name.endswith("_seconds")} == {
        family.name for family in families if family.unit == "seconds"
    }
    assert {family.type for family in families} == {"info", "gauge", "counter", "histogram"}


def test_text_without_its_end_is_refused_so_the_parser_proves_something(worked: Any) -> None:
    with pytest.raises(ValueError, match="EOF"):
        _families(openmetrics, _metrics(worked, "openmetrics").removesuffix("# EOF\n"))
