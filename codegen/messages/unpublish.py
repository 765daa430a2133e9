"""Parameters of the jobs that take back what a request published."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from codegen.messages.base import Message


class UnpublishParameters(Message):
    """What is to go. Removing what is not there is no error, so that it can be repeated; what a later revision made stays."""

    request_id: str = Field(min_length=32, max_length=32, pattern="^[0-9a-f]+$", description="The request")
    revision: int = Field(ge=1, description="The revision that is taken back, with all before it")
    client_id: str = Field(max_length=50, description="The client")
    stac_collection: str = Field(max_length=100, description="The STAC collection of its items")
    stac_item_id: str = Field(max_length=600, description="Id of its STAC item, or prefix of the items of a collection")
    job_ids: list[str] = Field(description="Jobs whose staging tables go")


class UnpublishVectorParameters(UnpublishParameters):
    """Of a vector request: also the table it wrote to, which another request may have made."""

    table_name: str = Field(max_length=63, description="Table in schema geo")
    mode: Literal["create", "replace", "append", "upsert"] = Field(description="How it wrote to it")
