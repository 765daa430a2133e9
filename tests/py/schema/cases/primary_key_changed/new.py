"""Another primary key under its name: built beside, then exchanged. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: int = Field(description="Thing id")
    code: Annotated[str, Column(primary_key=True)] = Field(max_length=10, description="Code")
