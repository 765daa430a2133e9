"""A column that a policy looks at gets another type. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Policy, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(
        schema="app", name="things", policies=[Policy("own", "geomill_api", "size > 1")], grants={"geomill_api": ("SELECT",)}
    )

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(ge=0, le=2147483647, description="Size")
