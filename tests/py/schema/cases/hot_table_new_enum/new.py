"""A table of the claim path gains a column of a new enum. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table
from codegen.models.enums import DatabaseEnum


class Colour(DatabaseEnum):
    """A colour."""

    RED = "red"
    GREEN = "green"


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")
    colour: Colour | None = Field(default=None, description="Colour")


ENUMS = {"colour": Colour}
HOT = {"app.things"}
