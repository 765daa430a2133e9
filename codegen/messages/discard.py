"""Parameters of the job that removes what a failed, cancelled or superseded revision left behind."""

from __future__ import annotations

from pydantic import Field

from codegen.messages.base import Message


class DiscardParameters(Message):
    """Which leftovers to remove. Removing what is not there is no error, so that it can be repeated."""

    request_id: str = Field(min_length=32, max_length=32, description="The request")
    revision: int = Field(ge=1, description="The revision whose artefacts go")
    client_id: str = Field(max_length=50, description="The client")
    dataset_id: str = Field(max_length=255, description="The client's dataset")
    resource_id: str = Field(max_length=255, description="The client's resource")
    version_id: str = Field(max_length=50, description="The client's version")
    job_ids: list[str] = Field(description="Jobs whose staging tables go")


class SupersededParameters(Message):
    """Parameters of the job `discard_superseded`."""

    request_id: str = Field(min_length=32, max_length=32, pattern="^[0-9a-f]+$", description="The request")
    revision: int = Field(ge=1, description="The revision that readers see; files of those before it go, where no item shows them")
    client_id: str = Field(max_length=50, description="The client")
