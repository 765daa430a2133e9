"""A table has another name: its rows stay, what is named after it is renamed. Before."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from codegen.models.base import Column, Table, table
from codegen.models.clock import now


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(min_length=1, description="Name")
    made_at: AwareDatetime = Field(default_factory=now, description="Made at")
