"""A GIN index over json. Before."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    data: dict[str, Any] = Field(description="Data")
