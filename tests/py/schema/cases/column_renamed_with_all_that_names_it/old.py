"""A column is renamed that a check, an index, a unique key and a generated column name. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Check, Column, Index, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(
        schema="app",
        name="things",
        unique=[("width",)],
        indexes=[Index(("width DESC", "thing_id"))],
        checks=[Check("things_even", "width % 2 = 0")],
    )

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    width: int = Field(ge=1, description="Width")
    area: Annotated[int | None, Column(generated="width * 2")] = Field(description="Area")
