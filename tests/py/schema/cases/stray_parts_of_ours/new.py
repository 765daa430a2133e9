"""By hand, on a table of ours: a column, an index, a check, a trigger with odd names. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
