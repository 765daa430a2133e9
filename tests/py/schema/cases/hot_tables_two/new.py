"""Two tables of the claim path: one lock at a time. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    size: int | None = Field(default=None, description="Size")


class Part(Table):
    """A part."""

    __table__: ClassVar = table(schema="app", name="parts")

    part_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    size: int | None = Field(default=None, description="Size")


HOT = {"app.things", "app.parts"}
