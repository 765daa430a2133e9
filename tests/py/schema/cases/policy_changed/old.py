"""A policy shows other rows. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Policy, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(
        schema="app", name="things", policies=[Policy("own", "geomill_api", "name = 'a'")], grants={"geomill_api": ("SELECT",)}
    )

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
