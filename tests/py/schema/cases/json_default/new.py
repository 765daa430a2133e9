"""A json column comes with an empty object. After."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    data: dict[str, Any] = Field(default_factory=dict, description="Data")
