"""A key of two columns. After."""

from typing import ClassVar

from pydantic import Field

from codegen.models.base import Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things", primary_key=("thing_id", "part"))

    thing_id: int = Field(description="Thing id")
    part: int = Field(description="Part")
