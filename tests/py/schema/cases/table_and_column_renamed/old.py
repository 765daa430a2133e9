"""A table and one of its columns are renamed at once, indexes, keys and checks with them. Before."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things", unique=[("weight",)])

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    weight: int = Field(ge=0, description="Weight")
    sent_at: AwareDatetime | None = Field(default=None, description="Sent at")
