"""Job types as rows: app.job_types and app.job_stages say what codegen/workflows says.

A definition that changes gets a new version, and jobs keep the version they started with: the stages of an old version stay
as long as any job has it, and those of the version just before stay in any case, for a submit that is under way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from codegen.models.app import JobStage
from codegen.quoting import literal, text
from codegen.steps import Step
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
    changed, forward, _ = steps(connection)
    for step in forward:
        for statement in step.statements:
            connection.execute(statement.encode())
    return changed


def steps(connection: psycopg.Connection[Any], *, anew: bool = False) -> tuple[list[str], list[Step], list[Step]]:
    """What has changed, the steps that bring the rows up to date, and those that lead back. `anew`: the tables are not there yet."""
    live = {} if anew else _live(connection)
    changed = [f"missing    job type {job.name}" for job in JOB_TYPES] if anew else differences(connection)
    if not changed:
        return [], [], []
    names = {line.rsplit(" ", 1)[1] for line in changed}
    wanted = {job.name: definition(job) | {"fingerprint": fingerprint(job)} for job in JOB_TYPES if job.name in names}
    known = [job.name for job in JOB_TYPES]
    unknown = sorted(name for name in live if name not in known)
    forward = [_step(name, said) for name, said in wanted.items()]
    forward += [
        Step(f"job type {name} takes no new jobs", (_RETIRE.format(job_type=text(name)).as_string(None),))
        for name in unknown
        if name in names
    ]
    forward.append(Step("stages of versions that no job has any more", (_PRUNE,)))
    back = [_step(name, live[name]) for name in sorted(names) if name in live]
    back += [
        Step(f"job type {name} takes no new jobs", (_RETIRE.format(job_type=text(name)).as_string(None),))
        for name in sorted(names)
        if name not in live
    ]
    return changed, forward, back


_UPSERT = sql.SQL("""INSERT INTO app.job_types AS t (job_type, version, description, total_stages, parameter_schema, fingerprint)
VALUES ({job_type}, 1, {description}, {total_stages}, {parameter_schema}::jsonb, {fingerprint})
ON CONFLICT (job_type) DO UPDATE
   SET version = t.version + 1, description = excluded.description, total_stages = excluded.total_stages,
       parameter_schema = excluded.parameter_schema, fingerprint = excluded.fingerprint, is_active = true;""")

_STAGES = sql.SQL("""INSERT INTO app.job_stages
SELECT s.* FROM app.job_types AS t
 CROSS JOIN LATERAL jsonb_array_elements({stages}::jsonb) AS e (stage)
 CROSS JOIN LATERAL jsonb_populate_record(
        NULL::app.job_stages, e.stage || jsonb_build_object('job_type', t.job_type, 'version', t.version)
       ) AS s
 WHERE t.job_type = {job_type};""")

_RETIRE = sql.SQL("UPDATE app.job_types SET is_active = false WHERE job_type = {job_type} AND is_active;")

_PRUNE = """DELETE FROM app.job_stages AS s USING app.job_types AS t
 WHERE t.job_type = s.job_type AND s.version < t.version - 1
   AND NOT EXISTS (SELECT FROM app.jobs AS j WHERE j.job_type = s.job_type AND j.job_type_version = s.version);"""


def _step(name: str, said: Mapping[str, Any]) -> Step:
    """A new version of a job type, as SQL that a person can read and run."""
    upsert = _UPSERT.format(
        job_type=text(name),
        description=text(said["description"]),
        total_stages=literal(len(said["stages"])),
        parameter_schema=text(json.dumps(said["parameter_schema"], ensure_ascii=False, sort_keys=True)),
        fingerprint=text(said["fingerprint"]),
    )
    stages = _STAGES.format(job_type=text(name), stages=text(json.dumps(said["stages"], ensure_ascii=False)))
    return Step(f"job type {name}", (upsert.as_string(None), stages.as_string(None)))


def _live(connection: psycopg.Connection[Any]) -> dict[str, dict[str, Any]]:
    """The job types as they are deployed, as `definition` has them, with their fingerprints."""
    stages = _live_stages(connection)
    rows = connection.execute("SELECT job_type, description, parameter_schema, fingerprint FROM app.job_types")
    return {
        name: {"description": description, "parameter_schema": schema, "fingerprint": print_, "stages": stages.get(name, [])}
        for name, description, schema, print_ in rows
    }


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
