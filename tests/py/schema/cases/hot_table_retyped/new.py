"""A column of the claim path gets another type, and with it another check. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: str = Field(min_length=1, description="Size")


HOT = {"app.things"}
