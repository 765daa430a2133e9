"""A text becomes json, which one of its values is not. After."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: dict[str, Any] = Field(description="Name")
