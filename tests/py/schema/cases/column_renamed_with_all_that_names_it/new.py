"""A column is renamed that a check, an index, a unique key and a generated column name. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Check, Column, Index, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(
        schema="app",
        name="things",
        unique=[("breadth",)],
        indexes=[Index(("breadth DESC", "thing_id"))],
        checks=[Check("things_even", "breadth % 2 = 0")],
    )

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    breadth: Annotated[int, Column(renamed_from="width")] = Field(ge=1, description="Breadth")
    area: Annotated[int | None, Column(generated="breadth * 2")] = Field(description="Area")
