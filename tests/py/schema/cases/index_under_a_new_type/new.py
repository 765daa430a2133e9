"""A column under an index and a check gets another type. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Index, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(
        schema="app", name="things", indexes=[Index(("size",)), Index(("thing_id",), where="size > 5", name="idx_things_big")]
    )

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(ge=0, le=9223372036854775807, description="Size")
