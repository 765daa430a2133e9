"""How a database differs from the models: the live schemas beside their shadow, and the rows of the workflows.

Here a plan is the list of differences. Steps, hazards and reverse SQL for them are the differ's, which will stand here.
"""

from __future__ import annotations

from typing import Any

import psycopg

from codegen import generate, shadow, workflow_rows


def plan(connection: psycopg.Connection[Any]) -> list[str]:
    """Every difference, for people; [] if there is none. Changes nothing."""
    with connection.transaction(force_rollback=True):
        shadow.lock(connection)
        return differences(connection)


def differences(connection: psycopg.Connection[Any]) -> list[str]:
    """As `plan`, inside the caller's transaction."""
    present = shadow.existing(connection)
    missing = [f"missing    schema {schema}, with everything in it" for schema in generate.SCHEMAS if schema not in present]
    if len(missing) == len(generate.SCHEMAS):
        return missing
    found = [str(difference) for difference in shadow.compare(connection, present)]
    if "app" in present and not any(line.startswith("missing    table app.job_") for line in found):
        found += workflow_rows.differences(connection)
    return missing + found
