"""A column that a generated one is made of gets another type. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(le=2147483647, ge=0, description="Size")
    twice: Annotated[str | None, Column(generated="size::text")] = Field(description="Twice")
