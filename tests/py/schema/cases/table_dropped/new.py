"""A table with rows goes, a reference to it as well. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Part(Table):
    """A part."""

    __table__: ClassVar = table(schema="app", name="parts")

    part_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    thing_id: int = Field(description="Thing id")
