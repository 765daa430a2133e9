"""The same check under another name: it is renamed, and no row is looked at. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Check, Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things", checks=[Check("things_has_size", "size > 0")])

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(description="Size")
