"""Case folders: from the models in old.py, with the rows in rows.sql, to those in new.py; plan.txt says what is planned.

Each is planned, refused without its flags, deployed, planned again (nothing is left to do), and taken back. To write the
goldens anew: GEOMILL_UPDATE_CASES=1, then read the difference as a distrustful DBA would.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from codegen import plan_file
from tests.py.schema import journey, load

CASES = sorted(path.parent for path in (Path(__file__).parent / "cases").glob("*/new.py"))

# What squawk is not asked about, and why.
NOT_ASKED = {
    # The model says so; what loses data or stops work is seen in the rehearsal and refused unless it is allowed by name.
    **dict.fromkeys(
        (
            "ban-drop-table", "ban-drop-column", "ban-drop-constraint", "ban-drop-not-null", "ban-drop-default", "ban-drop-function",
            "ban-drop-type", "ban-drop-view", "ban-drop-generated-expression", "ban-alter-identity", "changing-column-type",
            "renaming-table", "renaming-column", "renaming-object", "adding-field-with-default", "adding-serial-primary-key-field",
        ),
        "said by the model, and a hazard where it is one",
    ),
    # On a table without rows it costs nothing; on another the plan has NOT VALID, CONCURRENTLY, a validated check, or a named long lock.
    **dict.fromkeys(
        (
            "adding-required-field", "adding-not-nullable-field", "constraint-missing-not-valid", "disallowed-unique-constraint",
            "require-concurrent-index-creation",
        ),
        "on tables without rows alone, or as a named hazard",
    ),
    "require-statement-timeout": "what rewrites or validates takes as long as its table is long; waiting is bounded by lock_timeout",
    "require-concurrent-index-deletion": "a drop is over in a moment, and waits no longer than lock_timeout",
    "require-enum-value-ordering": "a label without BEFORE is the last",
    "prefer-robust-stmts": "what stands outside a transaction first takes away what an earlier run has left",
    "prefer-bigint-over-int": "the model bounds the value",
    "prefer-text-field": "the model bounds the length",
}  # fmt: skip


def test_there_are_as_many_cases_as_promised() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_case(case: Path, scratch: psycopg.Connection[Any], tmp_path: Path) -> None:
    rows = case / "rows.sql"
    journey.settle(scratch, load.module(case / "old.py"), rows.read_text() if rows.exists() else "")
    told = journey.travel(scratch, load.module(case / "new.py"))
    found = "\n".join(told.lines) + "\n"
    golden = case / "plan.txt"
    if os.environ.get("GEOMILL_UPDATE_CASES"):
        golden.write_text(found)
    assert not journey.differing(golden.read_text(), found)
    if told.plan:
        squawk(plan_file.write_scripts(told.plan, tmp_path, "500ms"))


def squawk(scripts: list[Path]) -> None:
    """An independent judge has nothing to say of the scripts but what it is not asked."""
    program = Path(sys.executable).with_name("squawk")
    excluded = [f"--exclude={rule}" for rule in NOT_ASKED]
    done = subprocess.run(
        [program, "--pg-version=15.0", "--reporter=gcc", *excluded, *scripts], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
