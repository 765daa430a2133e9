"""A check over a column that comes with it. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Check, Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things", checks=[Check("things_order", "low <= high")])

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    low: int = Field(description="Low")
    high: int | None = Field(default=None, description="High")
