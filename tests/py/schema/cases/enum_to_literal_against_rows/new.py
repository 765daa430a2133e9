"""An enum becomes a Literal that does not have one of its values. After."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    colour: Literal["red", "blue"] = Field(description="Colour")
