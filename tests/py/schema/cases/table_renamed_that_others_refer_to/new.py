"""A table is renamed that another refers to. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Piece(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="pieces", renamed_from="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")


class Part(Table):
    """A part."""

    __table__: ClassVar = table(schema="app", name="parts")

    part_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    thing_id: Annotated[int, Column(references="app.pieces", on_delete="cascade")] = Field(description="Thing id")
