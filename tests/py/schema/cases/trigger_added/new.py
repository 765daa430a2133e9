"""A table begins to say when it was changed. After."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from codegen.models.base import Column, Table, table
from codegen.models.clock import now


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    updated_at: AwareDatetime = Field(default_factory=now, description="Updated at")
