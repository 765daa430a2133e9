"""The vocabulary of a workflow: a job type, its stages, and how each fans out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from codegen.messages.base import Message
from codegen.models.enums import FailurePolicy


class _Definition(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Single(_Definition):
    """One task."""

    kind: Literal["single"] = "single"


class Count(_Definition):
    """As many tasks as a parameter says. Each knows its `task_index`."""

    kind: Literal["count"] = "count"
    path: str = Field(description="jsonpath of the number, over the job's parameters, e.g. $.n")


class Each(_Definition):
    """A task for each element of an array, which it receives as `item`."""

    kind: Literal["each"] = "each"
    path: str = Field(description="jsonpath of the elements, e.g. $.chunks[*]")
    of: Literal["parameters", "previous"] = Field(description="The job's parameters, or each result of the previous stage, in order")


class MatchPrevious(_Definition):
    """A task for each completed task of the previous stage, whose result it receives as `previous`."""

    kind: Literal["match_previous"] = "match_previous"


class Stage(_Definition):
    """One stage: what its tasks do, how many there are, and what to do about failures."""

    name: str = Field(max_length=100)
    task_type: str = Field(max_length=100, pattern="^[a-z][a-z0-9_]*$")
    fan_out: Annotated[Single | Count | Each | MatchPrevious, Field(discriminator="kind")] = Single()
    task_parameters: list[str] | Literal["all"] = Field(default="all", description="Job parameters that each task receives")
    condition: str | None = Field(default=None, description="jsonpath predicate over {parameters, previous}; false skips the stage")
    max_attempts: int = Field(default=3, ge=1, le=100)
    backoff_seconds: float = Field(default=5.0, ge=0)
    backoff_max_seconds: float = Field(default=600.0, ge=0)
    max_runtime_seconds: float = Field(default=3600.0, gt=0)
    failure_policy: FailurePolicy = FailurePolicy.FAIL_JOB
    max_failed_fraction: float = Field(default=1.0, ge=0, le=1)
    weight: float = Field(default=1.0, gt=0, description="Share of the job's progress")


class JobType(_Definition):
    """A workflow that jobs can be submitted to."""

    name: str = Field(max_length=100, pattern="^[a-z][a-z0-9_]*$")
    description: str
    parameters: type[Message]
    stages: list[Stage] = Field(min_length=1)
