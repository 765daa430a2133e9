"""An index becomes another under its name: built beside, then exchanged. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Index, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things", indexes=[Index(("name",), name="idx_things")])

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    size: int = Field(description="Size")
