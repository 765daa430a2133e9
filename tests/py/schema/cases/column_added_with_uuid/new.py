"""A column whose default differs from row to row: each is written anew. After."""

from typing import Annotated, ClassVar
from uuid import UUID, uuid4

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    token: UUID = Field(default_factory=uuid4, description="Token")
