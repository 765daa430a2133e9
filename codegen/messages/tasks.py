"""What a worker claims and what it reports."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, Field

from codegen.messages.base import Message
from codegen.messages.errors import ErrorDetail


class ClaimedTask(Message):
    """One attempt of one task, as `app.turn` and `app.claim_tasks` hand it out."""

    task_id: int = Field(description="The task")
    attempt: int = Field(ge=1, description="The attempt; named when it is completed or failed")
    job_id: str = Field(description="Its job")
    job_type: str = Field(description="Its job's type")
    stage: int = Field(ge=1, description="Stage of the job")
    task_type: str = Field(description="Which handler")
    task_index: int = Field(ge=0, description="Position in the stage, from 0")
    parameters: dict[str, Any] = Field(description="The stage's parameters; plus `item` (each) or `previous` (match_previous)")
    deadline: AwareDatetime = Field(description="Taken back if it runs beyond")
    correlation_id: str | None = Field(default=None, description="For the logs; `turn` gives it")
    platform_request_id: str | None = Field(default=None, description="For the logs; `turn` gives it")


class FinishedTask(Message):
    """One element of `finished` in `app.turn`: completed with a result, or failed with an error."""

    task_id: int = Field(description="The task")
    attempt: int = Field(ge=1, description="The attempt")
    result_data: dict[str, Any] | None = Field(default=None, description="Result, when completed")
    error: ErrorDetail | None = Field(default=None, description="Error, when failed")
