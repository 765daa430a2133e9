"""A generated column of the claim path becomes a plain one: its values stay. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(description="Size")
    twice: Annotated[int | None, Column(generated="size * 2")] = Field(description="Twice")


HOT = {"app.things"}
