"""A column of the claim path gets another type, and with it another check. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Index, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things", indexes=[Index(("size",))])

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(ge=0, description="Size")


HOT = {"app.things"}
