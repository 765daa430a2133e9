"""Job types as rows: app.job_types and app.job_stages say what codegen/workflows says.

A definition that changes gets a new version, and jobs keep the version they started with: the stages of an old version stay
as long as any job has it, and those of the version just before stay in any case, for a submit that is under way.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from codegen.models.app import JobStage
from codegen.validators import parameter_schema
from codegen.workflows import JOB_TYPES, Count, Each, JobType, Stage


def definition(job: JobType) -> dict[str, Any]:
    """What the rows of a job type hold, but its version and when."""
    return {
        "description": job.description,
        "parameter_schema": parameter_schema(job.parameters),
        "stages": [_stage(number, stage, job) for number, stage in enumerate(job.stages, start=1)],
    }


def fingerprint(job: JobType) -> str:
    """SHA-256 of the definition."""
    return hashlib.sha256(json.dumps(definition(job), sort_keys=True).encode()).hexdigest()


def differences(connection: psycopg.Connection[Any]) -> list[str]:
    """How the deployed rows differ from the definitions, for people."""
    live = {row[0]: row[1:] for row in connection.execute("SELECT job_type, fingerprint, is_active FROM app.job_types")}
    stages = _live_stages(connection)
    found = [f"missing    job type {job.name}" for job in JOB_TYPES if job.name not in live]
    found += [
        f"different  job type {job.name}"
        for job in JOB_TYPES
        if job.name in live and (live[job.name] != (fingerprint(job), True) or stages.get(job.name) != definition(job)["stages"])
    ]
    known = {job.name for job in JOB_TYPES}
    found += [f"unexpected job type {name}" for name, (_, is_active) in live.items() if name not in known and is_active]
    return sorted(found)


def deploy(connection: psycopg.Connection[Any]) -> list[str]:
    """Bring the rows up to date; says which job types have changed. To be called in deploy's transaction."""
    changed = differences(connection)
    if not changed:
        return []
    names = {line.rsplit(" ", 1)[1] for line in changed}
    for job in JOB_TYPES:
        if job.name in names:
            _deploy(connection, job)
    known = [job.name for job in JOB_TYPES]
    connection.execute("UPDATE app.job_types SET is_active = false WHERE job_type <> ALL (%s) AND is_active", [known])
    connection.execute(
        """
        DELETE FROM app.job_stages AS s USING app.job_types AS t
         WHERE t.job_type = s.job_type AND s.version < t.version - 1
           AND NOT EXISTS (SELECT FROM app.jobs AS j WHERE j.job_type = s.job_type AND j.job_type_version = s.version)
        """
    )
    return changed


def _deploy(connection: psycopg.Connection[Any], job: JobType) -> None:
    said = definition(job)
    (version,) = connection.execute(
        """
        INSERT INTO app.job_types AS t (job_type, version, description, total_stages, parameter_schema, fingerprint)
        VALUES (%(job_type)s, 1, %(description)s, %(total_stages)s, %(parameter_schema)s, %(fingerprint)s)
        ON CONFLICT (job_type) DO UPDATE
           SET version = t.version + 1, description = excluded.description, total_stages = excluded.total_stages,
               parameter_schema = excluded.parameter_schema, fingerprint = excluded.fingerprint, is_active = true
        RETURNING t.version
        """,
        {
            "job_type": job.name,
            "description": said["description"],
            "total_stages": len(said["stages"]),
            "parameter_schema": Jsonb(said["parameter_schema"]),
            "fingerprint": fingerprint(job),
        },
    ).fetchall()[0]
    for stage in said["stages"]:
        connection.execute(
            """
            INSERT INTO app.job_stages SELECT s.* FROM jsonb_populate_record(NULL::app.job_stages, %s) AS s
            """,
            [Jsonb({**stage, "job_type": job.name, "version": version})],
        )


def _stage(number: int, stage: Stage, job: JobType) -> dict[str, Any]:
    fan_out = stage.fan_out
    parameters = list(job.parameters.model_fields) if stage.task_parameters == "all" else stage.task_parameters
    said = {
        "stage": number,
        "fan_out": fan_out.kind,
        "fan_out_path": fan_out.path if isinstance(fan_out, Count | Each) else None,
        "fan_out_from": fan_out.of if isinstance(fan_out, Each) else "parameters",
        "task_parameters": parameters,
    }
    # The other columns are the stage's own fields, by the same names.
    others = set(JobStage.model_fields) - {"job_type", "version", *said}
    return said | {field: value for field, value in stage.model_dump(mode="json").items() if field in others}


def _live_stages(connection: psycopg.Connection[Any]) -> dict[str, list[dict[str, Any]]]:
    """The stages of each job type's current version, as `definition` has them."""
    fields = [field for field in JobStage.model_fields if field not in ("job_type", "version")]
    rows = connection.execute(
        "SELECT to_jsonb(s) FROM app.job_stages AS s JOIN app.job_types AS t USING (job_type, version) ORDER BY s.job_type, s.stage"
    )
    result: dict[str, list[dict[str, Any]]] = {}
    for (row,) in rows:
        result.setdefault(row["job_type"], []).append({field: row[field] for field in fields})
    return result
