"""The engine's tables: jobs fan out into stages and tasks, workers claim them, the janitor keeps them honest.

The layout is the engine's speed. `task_id` is `stage_id << 24 | task_index`, so that a stage's tasks are one range of
the primary key; a claim walks `ready_stages` by rank and takes the lowest fresh ids of each range. Tasks stay narrow:
what is wide (inputs, results, errors) lies in tables of its own. No index has `status` in its predicate: the set of
running tasks lives in the worker's own row, and a completion changes no column that an index knows, so it is heap-only.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field

from codegen.models.base import Check, Column, Index, Table, TableOptions, table
from codegen.models.clock import now
from codegen.models.enums import FailurePolicy, FanOut, JobStatus, StageStatus, TaskStatus, WorkerStatus

Json = dict[str, Any]

HOT = "the claim path pays for every index; see the module's head"
UNCHECKED = "the claim path pays for every check, and writes by functions that keep to the bounds"
TASK_BITS = 24
"""Bits of a task id that hold its index in the stage: at most 2**24 tasks a stage."""


class JobType(Table):
    """A workflow that jobs can be submitted to; deployed from codegen/workflows."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="job_types")

    job_type: Annotated[str, Column(primary_key=True)] = Field(max_length=100, description="Name that submit_job takes")
    version: int = Field(default=1, ge=1, description="Raised by each deploy that changes the definition; a job keeps the version it started with")
    description: str = Field(description="What the job does, for people")
    total_stages: int = Field(ge=1, description="Number of stages")
    parameter_schema: Json = Field(description="JSON Schema of the parameters, from the Pydantic message model")
    fingerprint: str = Field(max_length=64, description="SHA-256 of the definition as deployed")
    is_active: bool = Field(default=True, description="False refuses new jobs; running ones go on")
    created_at: AwareDatetime = Field(default_factory=now, description="First deployed at")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last changed at")


class JobStage(Table):
    """One stage of one version of a job type: its fan-out and its policies, as data."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="job_stages", primary_key=("job_type", "version", "stage"),
        checks=[Check("job_stages_fan_out_source_check", "(fan_out IN ('count', 'each')) = (fan_out_path IS NOT NULL)")],
    )  # fmt: skip

    job_type: Annotated[str, Column(references="app.job_types", on_delete="cascade")] = Field(max_length=100, description="The job type")
    version: int = Field(ge=1, description="Version of the definition")
    stage: int = Field(ge=1, description="Position, from 1")
    name: str = Field(max_length=100, description="Name for people, e.g. load")
    task_type: str = Field(max_length=100, description="What its tasks do; workers claim by it")
    fan_out: FanOut = Field(description="How tasks are made: single, count, each, match_previous")
    fan_out_path: str | None = Field(default=None, description="jsonpath of the count or of the array, over the source")
    fan_out_from: str = Field(default="parameters", pattern="^(parameters|previous)$", description="Whether fan_out_path reads the parameters or the previous stage's results")
    task_parameters: list[str] = Field(default_factory=list, description="Job parameters that each task receives")
    condition: str | None = Field(default=None, description="jsonpath predicate over {parameters, previous}; false skips the stage")
    max_attempts: int = Field(ge=1, le=100, description="Attempts before a retryable error is final")
    backoff_seconds: float = Field(ge=0, description="Delay before the second attempt; doubles with each further one")
    backoff_max_seconds: float = Field(ge=0, description="Longest delay between attempts")
    max_runtime_seconds: float = Field(gt=0, description="A task that runs longer is taken back")
    failure_policy: FailurePolicy = Field(description="What a failed task means: fail_job or continue")
    max_failed_fraction: float = Field(default=1.0, ge=0, le=1, description="Under continue: a larger share of failed tasks fails the stage")
    weight: float = Field(default=1.0, gt=0, description="Share of the job's progress, relative to its other stages")


class Job(Table):
    """One submitted piece of work: the same work submitted twice is one job."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="jobs", fillfactor=80,
        indexes=[
            Index(("status", "created_at DESC")),
            Index(("created_at DESC",)),
            Index(("completed_at",), where="completed_at IS NOT NULL"),
            Index(("platform_request_id",), where="platform_request_id IS NOT NULL"),
            Index(("job_type", "unique_key"), unique=True, where="unique_key IS NOT NULL AND status IN ('pending', 'processing')", name="idx_jobs_unique_key"),
            Index(("client_id", "priority", "share_until DESC"), where="client_id IS NOT NULL", name="idx_jobs_share"),
        ],
        only_these_indexes="status and created_at are served together; no query sorts by started_at or updated_at",
        no_column_checks=UNCHECKED, grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    job_id: Annotated[str, Column(primary_key=True)] = Field(min_length=64, max_length=64, pattern="^[0-9a-f]+$", description="SHA-256 of job type, canonical parameters, platform request and revision")
    job_type: str = Field(max_length=100, description="The workflow")
    job_type_version: int = Field(ge=1, description="Version of the definition that it keeps to its end")
    status: JobStatus = Field(default=JobStatus.PENDING, description="Where it stands")
    stage: int = Field(default=1, ge=1, description="Stage that is running, or was the last to run")
    total_stages: int = Field(ge=1, description="Number of stages")
    parameters: Json = Field(description="Parameters, validated and with defaults filled in")
    metadata: Json = Field(default_factory=dict, description="Notes of the submitter; the engine never reads them")
    result_data: Json | None = Field(default=None, description="The final stage's result: of its single task, or a count of its tasks")
    error_details: Json | None = Field(default=None, description="The error that ended it: code, category, message, remediation")
    priority: int = Field(default=0, ge=-100, le=100, description="Higher runs first; waiting raises it slowly, so that nothing starves")
    revision: int = Field(default=1, ge=1, description="Revision of the platform request")
    platform_request_id: Annotated[str | None, Column(refers_to="platform.requests")] = Field(default=None, max_length=32, description="Request it serves; no foreign key, for app may be rebuilt while platform stays")
    correlation_id: str = Field(max_length=255, description="Set by the client or made at submit; in every log line about the job")
    client_id: Annotated[str | None, Column(refers_to="platform.clients")] = Field(default=None, max_length=50, description="For whom it runs: fairness, pauses and caps go by it. NULL: the engine's own, or nobody's")
    run_at: AwareDatetime | None = Field(default=None, description="Not before; NULL: at once")
    unique_key: str | None = Field(default=None, max_length=200, description="At most one job of its type with this key is open")
    concurrency_key: str | None = Field(default=None, max_length=200, description="Its tasks share the cap set for this key")
    share_until: AwareDatetime | None = Field(default=None, description="Its client's next job of this priority counts as waiting from then on: who submits much stands behind who submits little")
    created_at: AwareDatetime = Field(default_factory=now, description="Submitted at")
    started_at: AwareDatetime | None = Field(default=None, description="First stage started at")
    completed_at: AwareDatetime | None = Field(default=None, description="Reached its end at")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last change")


class Stage(Table):
    """One stage of one job: where fan-out happened and fan-in will."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="stages", unique=[("job_id", "stage")], fillfactor=40,
        indexes=[Index(("task_type",), where="status IN ('pending', 'processing')", name="idx_stages_open")],
        only_these_indexes=HOT, no_column_checks=UNCHECKED, grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    stage_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**39, description="Key; the high bits of its tasks' ids")
    job_id: Annotated[str, Column(references="app.jobs", on_delete="cascade")] = Field(max_length=64, description="The job it belongs to")
    stage: int = Field(ge=1, description="Position in the job, from 1")
    name: str = Field(max_length=100, description="Name for people")
    task_type: str = Field(max_length=100, description="What its tasks do")
    job_type: str | None = Field(default=None, max_length=100, description="The job's, for the claim; NULL in stages that an older release fanned out")
    correlation_id: str | None = Field(default=None, max_length=255, description="The job's, for the claim")
    platform_request_id: Annotated[str | None, Column(refers_to="platform.requests")] = Field(default=None, max_length=32, description="The job's, for the claim")
    status: StageStatus = Field(default=StageStatus.PENDING, description="Where it stands")
    fan_out: FanOut = Field(description="How its tasks were made, and so what each receives")
    tasks: int = Field(ge=0, description="Number of tasks it was given")
    last_task_id: int | None = Field(default=None, ge=0, lt=2**63, description="Highest task id; the stage cannot end before this task does. NULL without tasks")
    armed: bool = Field(default=False, description="True once its last task has ended once: from then on completions count down")
    remaining: int | None = Field(default=None, ge=0, description="Open tasks; NULL until the stage is armed")
    completed_tasks: int | None = Field(default=None, ge=0, description="Tasks completed, counted at the stage's end")
    failed_tasks: int | None = Field(default=None, ge=0, description="Tasks failed, counted at the stage's end")
    max_runtime_seconds: float = Field(gt=0, description="A task that runs longer is taken back")
    caps: Annotated[list[Annotated[int, Field(ge=1)]] | None, Column(array=True)] = Field(default=None, description="Caps that its tasks come under; NULL without any")
    task_parameters: Json = Field(default_factory=dict, description="What every task of the stage receives")
    matches_stage_id: Annotated[int | None, Column(refers_to="app.stages")] = Field(default=None, ge=1, lt=2**39, description="Stage whose results its tasks receive one by one; NULL unless it fanned out by match_previous")
    stage_results: Json | None = Field(default=None, description="Kept by advance_job_stage where its caller gives some")
    created_at: AwareDatetime = Field(default_factory=now, description="Fanned out at")
    completed_at: AwareDatetime | None = Field(default=None, description="Ended at")


class ReadyStage(Table):
    """A stage with fresh tasks: what a claim walks, by rank. Gone when its last fresh task has been claimed."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="ready_stages", fillfactor=50,
        indexes=[Index(("rank", "stage_id"), name="idx_ready_stages_rank")], only_these_indexes=HOT, no_column_checks=UNCHECKED,
        grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    stage_id: Annotated[int, Column(primary_key=True, refers_to="app.stages")] = Field(ge=1, lt=2**39, description="The stage")
    task_type: str = Field(max_length=100, description="Task type, so that a worker sees only what it can do")
    rank: int = Field(ge=-(2**63), lt=2**63, description="Microseconds since 1970 when it became ready, less its priority's head start; lower runs first")
    low: int = Field(ge=0, lt=2**63, description="No fresh task lies at or below this id")
    high: int = Field(ge=0, lt=2**63, description="Highest task id of the stage")


class ReadyFloor(Table):
    """Where claims begin to walk ready_stages: the newest row says at which rank. Below it lie only stages that are gone.

    An old transaction keeps the index entries of what is gone; without a floor each claim would walk them all again.
    """

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="ready_floors", only_these_indexes=HOT, grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    floor_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Identifier")
    rank: int = Field(ge=-(2**63), lt=2**63, description="No claimable stage had a lower rank when this was written")


class ParkedStage(Table):
    """A stage with fresh tasks that no claim may see yet: its job is not due, or its client is paused."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="parked_stages", indexes=[Index(("run_at",)), Index(("client_id",))], grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    stage_id: Annotated[int, Column(primary_key=True, refers_to="app.stages")] = Field(ge=1, lt=2**39, description="The stage")
    client_id: str | None = Field(default=None, max_length=50, description="Client of its job")
    run_at: AwareDatetime | None = Field(default=None, description="Ready from then on; NULL: when its client is resumed")
    task_type: str = Field(max_length=100, description="As in ready_stages")
    rank: int = Field(ge=-(2**63), lt=2**63, description="As in ready_stages")
    low: int = Field(ge=0, lt=2**63, description="As in ready_stages")
    high: int = Field(ge=0, lt=2**63, description="As in ready_stages")


class Cap(Table):
    """How many tasks of a client, of a task type, or of jobs with a concurrency key may run at the same time."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="caps", unique=[("kind", "name")], grants={"geomill_admin": ("SELECT",)})

    cap_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, description="Key")
    kind: Literal["client", "task_type", "key"] = Field(description="What name is")
    name: str = Field(min_length=1, max_length=200, description="The client, the task type or the concurrency key")
    slots: int = Field(ge=1, le=10000, description="Most tasks at the same time")
    created_at: AwareDatetime = Field(default_factory=now, description="Set at")


class Slot(Table):
    """Room for one task under one cap. A task has a slot of every cap of its stage from before it can be claimed until it ends."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="slots", fillfactor=50,
        indexes=[Index(("task_id",), where="task_id IS NOT NULL"), Index(("cap_id",), where="task_id IS NULL", name="idx_slots_free"), Index(("cap_id",), where="is_surplus", name="idx_slots_surplus")],
        only_these_indexes="found by its task, or because it is free, or too many", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    slot_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    cap_id: Annotated[int, Column(references="app.caps", on_delete="cascade")] = Field(ge=1, description="The cap")
    task_id: int | None = Field(default=None, ge=0, lt=2**63, description="Task that has it; NULL: free")
    is_surplus: bool = Field(default=False, description="One too many since the cap was lowered, or set while more were running: gone with its task")


class CappedStage(Table):
    """A stage with tasks that wait for slots. Gone when the last of them has been admitted."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="capped_stages", fillfactor=50,
        indexes=[Index(("caps",), method="gin"), Index(("rank", "stage_id"))],
        only_these_indexes="found by its caps, in order of rank", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    stage_id: Annotated[int, Column(primary_key=True)] = Field(ge=1, lt=2**39, description="The stage")
    caps: Annotated[list[Annotated[int, Field(ge=1)]], Column(array=True)] = Field(description="Its caps: each of its running tasks has a slot of every one")
    rank: int = Field(ge=-(2**63), lt=2**63, description="As in ready_stages")
    low: int = Field(ge=0, lt=2**63, description="No waiting task lies at or below this id")
    high: int = Field(ge=0, lt=2**63, description="Highest task id of the stage")


class Task(Table):
    """One unit of work. Narrow, because the claim path lives here; what is wide lies in task_inputs and task_results."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="tasks", fillfactor=33,
        storage={"autovacuum_vacuum_scale_factor": "0.01", "autovacuum_vacuum_cost_delay": "0"},
        indexes=[
            Index(("task_type", "run_at"), where="run_at IS NOT NULL", name="idx_tasks_due"),
        ],
        only_these_indexes=HOT, no_column_checks=UNCHECKED, grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    task_id: Annotated[int, Column(primary_key=True)] = Field(ge=0, lt=2**63, description="stage_id << 24 | task_index. No foreign key to stages: the key is made from it, and a check a row would halve fan-out")
    stage_id: Annotated[int, Column(refers_to="app.stages")] = Field(ge=0, lt=2**63, description="The stage, as in the key")
    task_index: int = Field(ge=0, lt=2**TASK_BITS, description="Position in the stage, from 0, as in the key")
    status: TaskStatus = Field(default=TaskStatus.PENDING, description="Where it stands; a retry waiting for its time is pending with a run_at")
    attempt: int = Field(default=0, ge=0, description="Raised by every claim; what is named with an older attempt changes nothing")
    forgiven: int = Field(default=0, ge=0, description="Attempts that do not count against the limit: released by a draining worker, or before an explicit retry")
    task_type: str = Field(max_length=100, description="What to do")
    worker_key: Annotated[int | None, Column(refers_to="app.workers")] = Field(default=None, description="Worker of the current or last attempt")
    run_at: AwareDatetime | None = Field(default=None, description="Not before; NULL for a task that was never claimed or delayed")
    started_at: AwareDatetime | None = Field(default=None, description="Current or last attempt claimed at")
    completed_at: AwareDatetime | None = Field(default=None, description="Ended at")


class TaskInput(Table):
    """What one task is about, where the stage's parameters do not say it: the element of an `each` fan-out."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="task_inputs", only_these_indexes=HOT)

    task_id: Annotated[int, Column(primary_key=True, refers_to="app.tasks")] = Field(ge=0, lt=2**63, description="The task")
    item: Any = Field(description="Element of the array that the stage fanned out over")


class TaskResult(Table):
    """What a completed task reported."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="task_results", only_these_indexes=HOT, grants={"geomill_admin": ("SELECT",)})

    task_id: Annotated[int, Column(primary_key=True, refers_to="app.tasks")] = Field(ge=0, lt=2**63, description="The task")
    result_data: Any = Field(description="Its result")


class TaskError(Table):
    """One failed attempt. Attempts lost to a dead worker are here too, so that attempts and errors add up."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="task_errors", primary_key=("task_id", "attempt"),
        indexes=[Index(("created_at DESC",))], grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    task_id: Annotated[int, Column(refers_to="app.tasks")] = Field(ge=0, lt=2**63, description="The task")
    attempt: int = Field(ge=0, description="Attempt that failed")
    error: Json = Field(description="code, category, message, remediation, retryable, field, value")
    worker_key: Annotated[int | None, Column(refers_to="app.workers")] = Field(default=None, description="Worker that held it")
    created_at: AwareDatetime = Field(default_factory=now, description="Failed at")


class Worker(Table):
    """One worker process, with the tasks it holds. `worker_id` is unique per process start; the dead stay dead."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="workers", fillfactor=10,
        only_these_indexes="every turn updates the row: an index on what it writes would end heap-only updates and bloat all the others",
        no_column_checks=UNCHECKED,
        grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    worker_key: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, description="Short key that tasks carry")
    worker_id: Annotated[str, Column(unique=True)] = Field(min_length=1, max_length=200, description="Name the process gave itself, new at each start")
    status: WorkerStatus = Field(default=WorkerStatus.ALIVE, description="alive, stopped by itself, or declared dead")
    holding: Annotated[list[Annotated[int, Field(ge=-(2**63), lt=2**63)]], Column(array=True)] = Field(default_factory=list, description="Tasks it claimed and has not ended; may name a few that ended since")
    holding_attempts: Annotated[list[int], Column(array=True)] = Field(default_factory=list, description="The attempt of each, in the same order")
    task_types: Annotated[list[str] | None, Column(array=True)] = Field(default=None, description="What it claims; NULL for all")
    hostname: str | None = Field(default=None, max_length=255, description="Where it runs")
    process_id: int | None = Field(default=None, description="Its process id there")
    software_version: str | None = Field(default=None, max_length=50, description="Version of its code")
    started_at: AwareDatetime = Field(default_factory=now, description="First seen")
    last_beat: AwareDatetime = Field(default_factory=now, description="Last turn or heartbeat")


class PausedTaskType(Table):
    """A task type that an operator has paused: no claim takes it until it is resumed."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="paused_task_types", grants={"geomill_admin": ("SELECT",)})

    task_type: Annotated[str, Column(primary_key=True)] = Field(max_length=100, description="The paused task type")
    reason: str = Field(description="Why, for whoever finds it paused")
    created_at: AwareDatetime = Field(default_factory=now, description="Paused at")


class PausedClient(Table):
    """A client that an operator has paused: no claim takes a task of its jobs until it is resumed."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="paused_clients", grants={"geomill_admin": ("SELECT",)})

    client_id: Annotated[str, Column(primary_key=True, refers_to="platform.clients")] = Field(max_length=50, description="The paused client")
    reason: str = Field(description="Why, for whoever finds it paused")
    created_at: AwareDatetime = Field(default_factory=now, description="Paused at")


class Schedule(Table):
    """A job to be submitted again and again, at the times of a cron expression."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="schedules", indexes=[Index(("next_run_at",))], grants={"geomill_admin": ("SELECT",)},
        only_these_indexes="a schedule is found by its name, or because it is due",
    )  # fmt: skip

    name: Annotated[str, Column(primary_key=True)] = Field(min_length=1, max_length=100, description="Name that schedule_job gave it")
    cron: str = Field(max_length=500, description="Minute, hour, day of the month, month, day of the week")
    time_zone: str = Field(default="UTC", max_length=100, description="Time zone that the expression is meant in, by its name in the tz database")
    job_type: str = Field(max_length=100, description="The workflow")
    parameters: Json = Field(default_factory=dict, description="Parameters of each job")
    options: Json = Field(default_factory=dict, description="Options of each submit: priority, client_id, unique_key, on_conflict, concurrency_key, metadata")
    catch_up: Literal["skip", "once"] = Field(default="skip", description="What becomes of times missed by more than five minutes: nothing, or one job for all of them")
    is_active: bool = Field(default=True, description="False submits nothing")
    next_run_at: AwareDatetime | None = Field(default=None, description="Due then; NULL: never, or not active")
    last_run_at: AwareDatetime | None = Field(default=None, description="The time, as the expression has it, that a job was last submitted for")
    last_job_id: str | None = Field(default=None, max_length=64, description="That job; no foreign key, for the job may be pruned")
    last_error: Json | None = Field(default=None, description="Why the last submit was refused; NULL if it was not")
    created_at: AwareDatetime = Field(default_factory=now, description="Scheduled at")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last change")


class ApiRequest(Table):
    """One call of the public API: usage and limits."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="api_requests",
        indexes=[
            Index(("client_id", "created_at DESC")),
            Index(("client_id", "created_at DESC"), where="made", name="idx_api_requests_made"),
            Index(("created_at",), method="brin", name="idx_api_requests_created_at"),
        ],
        grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    api_request_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    client_id: Annotated[str, Column(refers_to="platform.clients")] = Field(max_length=50, description="Who called")
    function_name: str = Field(max_length=100, description="What was called")
    request_id: Annotated[str | None, Column(refers_to="platform.requests")] = Field(default=None, max_length=32, description="Request it was about")
    key_id: Annotated[int | None, Column(refers_to="platform.api_keys")] = Field(default=None, ge=1, lt=2**63, description="API key that it was called with, through a gateway")
    made: bool = Field(default=False, description="True where it made a request or a revision")
    created_at: AwareDatetime = Field(default_factory=now, description="Called at")


class CallHour(Table):
    """The calls of an hour, added up by the janitor once the hour is over."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="call_hours", primary_key=("hour", "client_id", "function_name"),
        only_these_indexes="read by time; a row for each hour, client and function", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    hour: AwareDatetime = Field(description="Begins at")
    client_id: Annotated[str, Column(refers_to="platform.clients")] = Field(max_length=50, description="Who called")
    function_name: str = Field(max_length=100, description="What was called")
    calls: int = Field(ge=0, lt=2**63, description="How often")
    made: int = Field(ge=0, lt=2**63, description="How many of them made a request or a revision")


class JanitorRun(Table):
    """One run of the janitor: what it found, what it did, what went wrong."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="janitor_runs", indexes=[Index(("started_at DESC",))],
        only_these_indexes="read by start only", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    run_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    started_at: AwareDatetime = Field(default_factory=now, description="Started at")
    completed_at: AwareDatetime | None = Field(default=None, description="Ended at; NULL with an error if it did not")
    skipped: bool = Field(default=False, description="True if another run was under way")
    workers_declared_dead: int = Field(default=0, ge=0, description="Workers whose heart had stopped")
    tasks_reclaimed: int = Field(default=0, ge=0, description="Tasks taken back from them, or for running too long")
    backends_terminated: int = Field(default=0, ge=0, description="Open effect transactions that had to be ended")
    stages_repaired: int = Field(default=0, ge=0, description="Stages that should have advanced and had not")
    parts: Json = Field(default_factory=dict, description="What each part of the run did: counts, seconds, and its error if it failed")
    counted_until: AwareDatetime | None = Field(default=None, description="Tasks that ended until then are in app.task_statistics; NULL if that part failed or was skipped")
    error: str | None = Field(default=None, description="What went wrong in which part, if anything")


class Retention(Table):
    """What an operator wants to be kept longer or shorter than app.retention_policy() has it by default."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="retention")

    what: Annotated[str, Column(primary_key=True)] = Field(max_length=50, description="What is kept: a name of app.retention_policy()")
    keep_days: int | None = Field(ge=1, le=36500, description="Days after its end; NULL for ever")
    archive: bool = Field(description="Whether a row of app.archived_jobs stays of each job")
    batch: int = Field(ge=1, le=10000, description="Most that one run of the janitor removes")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last change")


class ArchivedJob(Table):
    """What stays of a job that was pruned: one narrow row. The same work may have been done, and archived, more than once."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="archived_jobs", indexes=[Index(("job_id",)), Index(("platform_request_id",), where="platform_request_id IS NOT NULL")],
        only_these_indexes="looked up by job or request; pruned in order of the key", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    archive_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    job_id: str = Field(max_length=64, description="The job")
    job_type: str = Field(max_length=100, description="The workflow")
    job_type_version: int = Field(ge=1, description="Version of its definition")
    status: JobStatus = Field(description="How it ended")
    stages: int = Field(ge=0, description="Stages that it went through")
    tasks: int = Field(ge=0, lt=2**63, description="Tasks of all of them")
    completed_tasks: int = Field(ge=0, lt=2**63, description="Tasks that completed")
    failed_tasks: int = Field(ge=0, lt=2**63, description="Tasks that failed")
    parameters: Json = Field(description="Its parameters")
    error_details: Json | None = Field(default=None, description="The error that ended it")
    priority: int = Field(description="Its priority")
    revision: int = Field(ge=1, description="Revision of the platform request")
    platform_request_id: str | None = Field(default=None, max_length=32, description="Request it served")
    correlation_id: str = Field(max_length=255, description="In every log line about the job")
    client_id: str | None = Field(default=None, max_length=50, description="For whom it ran")
    created_at: AwareDatetime = Field(description="Submitted at")
    started_at: AwareDatetime | None = Field(default=None, description="First stage started at")
    completed_at: AwareDatetime = Field(description="Reached its end at")
    archived_at: AwareDatetime = Field(default_factory=now, description="Pruned at")


class DiscardedStage(Table):
    """The tasks of a stage whose job was pruned: a range of keys that the janitor removes slice by slice."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="discarded_stages")

    stage_id: Annotated[int, Column(primary_key=True)] = Field(ge=1, lt=2**39, description="The stage that was")
    next_task_id: int = Field(ge=0, lt=2**63, description="Nothing below it is left")
    last_task_id: int = Field(ge=0, lt=2**63, description="Its highest task id")


class TaskStatistic(Table):
    """How tasks of one type went in a minute, an hour, or before: minutes become hours after two days, hours one row for all time when they are pruned."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="task_statistics", primary_key=("task_type", "period_minutes", "period_start"),
        indexes=[Index(("period_minutes", "period_start"))], only_these_indexes="read by period", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    task_type: str = Field(max_length=100, description="The task type")
    period_minutes: int = Field(ge=0, description="1, 60, or 0 for all that is older")
    period_start: AwareDatetime = Field(description="Begin of the minute or hour in which the tasks ended; 1970 for all that is older")
    completed: int = Field(default=0, ge=0, lt=2**63, description="Tasks completed")
    failed: int = Field(default=0, ge=0, lt=2**63, description="Tasks failed for good")
    failed_attempts: int = Field(default=0, ge=0, lt=2**63, description="Attempts that failed, those after which a task was tried again included")
    run_seconds: float = Field(default=0.0, ge=0, description="Sum of the last attempts' run times")
    run_seconds_max: float = Field(default=0.0, ge=0, description="The longest of them")
    run_histogram: Annotated[list[Annotated[int, Field(ge=-(2**63), lt=2**63)]], Column(array=True)] = Field(description="How many ran up to each of app.histogram_bounds(), and how many longer")
    waits: int = Field(default=0, ge=0, lt=2**63, description="Tasks done at the first attempt: of them the wait is known")
    wait_seconds: float = Field(default=0.0, ge=0, description="Sum of their waits, from when they could be claimed until they were")
    wait_seconds_max: float = Field(default=0.0, ge=0, description="The longest of them")
    wait_histogram: Annotated[list[Annotated[int, Field(ge=-(2**63), lt=2**63)]], Column(array=True)] = Field(description="How many waited up to each of app.histogram_bounds(), and how many longer")


class StatisticsMark(Table):
    """Where the counting of a running stage goes on: every task below has ended and is counted."""

    __table__: ClassVar[TableOptions] = table(schema="app", name="statistics_marks")

    stage_id: Annotated[int, Column(primary_key=True)] = Field(ge=1, lt=2**39, description="The stage")
    lowest_open: int = Field(ge=0, lt=2**63, description="Its lowest task that had not ended when it was last counted")


class Probe(Table):
    """What somebody who could see it has last said of a thing that SQL cannot look at: storage (workers), the schemas (verify)."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="probes", primary_key=("component", "subject"),
        only_these_indexes="a handful of rows", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    component: Literal["storage", "schema"] = Field(description="What was looked at")
    subject: str = Field(max_length=1000, description="Which one: a storage's base URL; the database's name")
    is_well: bool = Field(description="Whether it was as it should be")
    metric: Json = Field(default_factory=dict, description="What was seen")
    seen_by: str = Field(max_length=200, description="Worker, or login")
    seen_at: AwareDatetime = Field(default_factory=now, description="Seen at")


class SchemaDeployment(Table):
    """One change of the generated schemas: who, when, from which revision, the SQL, and the SQL that takes it back."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="schema_deployments", indexes=[Index(("created_at DESC",))],
        only_these_indexes="read by key and by when", grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    deployment_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    kind: Literal["deploy", "rollback", "rebuild", "redeploy"] = Field(default="deploy", description="What was asked for")
    status: Literal["started", "completed", "failed"] = Field(default="completed", description="started: under way, or interrupted; deploy again ends it")
    deployed_by: str = Field(max_length=63, description="Login that deployed")
    software_version: str = Field(max_length=50, description="geomill's version")
    git_revision: str | None = Field(default=None, max_length=64, description="Commit, where it is known")
    fingerprint: str = Field(max_length=64, description="SHA-256 of the generated SQL")
    catalog_fingerprint: str = Field(max_length=64, description="SHA-256 of the deployed schemas as the catalog shows them, after it")
    catalog_before: str | None = Field(default=None, max_length=64, description="The same before it; NULL for the first")
    plan_id: str | None = Field(default=None, max_length=64, description="The plan that was applied")
    allowed: list[str] = Field(default_factory=list, description="Hazards that were allowed by name")
    sql: str = Field(description="What was run")
    reverse_plan: Json | None = Field(default=None, description="Steps that take it back, with their hazards; NULL where it cannot be taken back")
    created_at: AwareDatetime = Field(default_factory=now, description="Deployed at")
    completed_at: AwareDatetime | None = Field(default=None, description="Ended at")
