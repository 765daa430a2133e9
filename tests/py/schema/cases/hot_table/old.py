"""A table of the claim path changes: each lock in a transaction of its own. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    size: int = Field(ge=0, description="Size")
    old: int | None = Field(default=None, description="Old")


HOT = {"app.things"}
