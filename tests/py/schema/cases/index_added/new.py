"""Indexes of each kind on a table with rows: built beside running work. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Index, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(
        schema="app",
        name="things",
        indexes=[
            Index(("name",), where="size > 0", name="idx_things_partial"),
            Index(("lower(name)",), name="idx_things_lower"),
            Index(("size DESC", "name")),
            Index(("size",), include=("name",)),
            Index(("name", "thing_id"), unique=True),
        ],
    )

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    size: int = Field(description="Size")
