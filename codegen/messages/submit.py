"""How a job is to be submitted, beside what it is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from codegen.messages.base import Message

_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})$"


class SubmitOptions(Message):
    """What app.submit_job_with_options takes as `options`."""

    priority: int = Field(default=0, ge=-100, le=100, description="Higher runs first")
    platform_request_id: str | None = Field(default=None, min_length=1, max_length=32, description="Request that the job serves")
    revision: int = Field(default=1, ge=1, lt=2**31, description="Revision of the platform request; a new revision is a new job")
    identity: str | None = Field(default=None, min_length=1, max_length=200, description="What makes this another job than one of the same type and parameters")
    correlation_id: str | None = Field(default=None, min_length=1, max_length=255, description="In every log line about the job; one is made where it is missing")
    client_id: str | None = Field(default=None, min_length=1, max_length=50, description="For whom it runs: fairness, pauses and caps go by it")
    run_at: str | None = Field(default=None, pattern=_MOMENT, description="Not before, as 2026-11-21T18:00:00Z or with another offset from UTC")
    unique_key: str | None = Field(default=None, min_length=1, max_length=200, description="At most one job of its type with this key is open")
    on_conflict: Literal["return", "refuse"] = Field(default="return", description="Where a job with the unique_key is open: return that one, or refuse this one")
    concurrency_key: str | None = Field(default=None, min_length=1, max_length=200, description="Tasks of all jobs with this key share the cap set for it")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Notes of the submitter; the engine never reads them")
