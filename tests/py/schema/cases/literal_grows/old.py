"""One more value of a Literal. Before."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    colour: Literal["red", "green"] = Field(description="Colour")
