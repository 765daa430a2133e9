"""A table of the claim path changes: each lock in a transaction of its own. After."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things", fillfactor=50)

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    size: int = Field(ge=1, description="Size")
    new: int | None = Field(default=None, description="New")
    updated_at: AwareDatetime | None = Field(default=None, description="Updated at")


HOT = {"app.things"}
